import type { Name, Variant } from './variants.ts';

/** What is to become of one instance, which are in order of their numbers. `live`: it has a process; `due`: its restart is. */
export interface Place {
  /** Null: any. */
  readonly number: number | null;
  readonly state: 'live' | 'pending' | 'due' | 'failed' | 'stopped';
  /** How often it was restarted, and how many of these restarts count for the limit; null: nobody knows. */
  readonly count: number | null;
  readonly recent: number | null;
  /** The release that runs; null: nobody knows, or none does. */
  readonly release: number | null;
}

export interface ModelledRelease {
  readonly variant: Variant;
  readonly instances: number;
  readonly outcome: 'pending' | 'succeeded' | 'failed';
}

export interface Modelled {
  readonly wanted: 'running' | 'stopped';
  readonly current: number;
  readonly last: number;
  readonly scale: number | null;
  readonly releases: ReadonlyMap<number, ModelledRelease>;
  readonly places: readonly Place[];
}

/** What every service is to be; null: there is none. */
export type World = Readonly<Record<Name, Modelled | null>>;

export function currentOf({ releases, current }: Modelled): ModelledRelease {
  const found = releases.get(current);
  if (found === undefined) throw new Error(`the model knows nothing of release ${current}`);
  return found;
}

export function variantOf(service: Modelled): Variant {
  return currentOf(service).variant;
}

/** Whether what is current stays up. */
export function isGood(service: Modelled): boolean {
  return ['steady', 'stubborn'].includes(variantOf(service).way);
}

export function wantedCount(service: Modelled): number {
  return service.scale ?? currentOf(service).instances;
}

export function created(variant: Variant): Modelled {
  const { instances } = variant;
  return {
    wanted: 'stopped',
    current: 1,
    last: 1,
    scale: null,
    releases: new Map([[1, { variant, instances, outcome: 'pending' }]]),
    places: Array.from({ length: instances }, () => never),
  };
}

export function deployed(before: Modelled | null, variant: Variant): Modelled {
  const service = withRelease(before, variant, 'succeeded');
  return allRun({ ...service, current: service.last, scale: null });
}

/** How a release replaces what runs of a service, of which these numbers run. */
export function strategyFor({ rollout, port }: Variant, running: readonly number[]): Variant['rollout'] {
  if (running.length === 0) return 'recreate';
  if (port === 'auto') return rollout;
  const takesPlaces = running.length > 1 && running.every((number, at) => number === at + 1);
  return rollout === 'recreate' || !takesPlaces ? 'recreate' : 'in_place';
}

/** A deploy that fails leaves what there was; what ended for it was started again. */
export function deployFailed(
  before: Modelled | null,
  variant: Variant,
  strategy: Variant['rollout'],
): Modelled {
  const service = withRelease(before, variant, 'failed');
  if (strategy === 'recreate') return recreationFailed(service);
  return strategy === 'in_place' ? placeTakenInVain(service, variant) : service;
}

/** The first one was tried in a place where nothing ran or, if that was none of the first ones, in that of the first. */
function placeTakenInVain(service: Modelled, { instances }: Variant): Modelled {
  const { places } = service;
  const free = places.slice(0, instances).findIndex(({ state }) => state !== 'live');
  const at = Math.max(0, free);
  const { number = null, release = null } = places[at] ?? {};
  const place = free < 0 ? { ...runs(0), release } : waits;
  return { ...service, places: places.with(at, { ...place, number }) };
}

function recreationFailed(service: Modelled): Modelled {
  const live = service.places.filter(({ state }) => state === 'live');
  const releases = new Set(live.map(({ release }) => release));
  // Where they were of several releases, all are of one of these then.
  const [release = null] = releases.size === 1 ? releases : [];
  const places = service.places.map((place) => {
    if (place.state === 'live') return { ...runs(0), release };
    // What should have run is tried again, as by a start.
    return service.wanted === 'running' ? waits : never;
  });
  return { ...service, places };
}

export function withRelease(
  before: Modelled | null,
  variant: Variant,
  outcome: ModelledRelease['outcome'],
): Modelled {
  const service = before ?? created(variant);
  const last = before === null ? 1 : before.last + 1;
  const release = { variant, instances: variant.instances, outcome };
  return { ...service, last, releases: new Map(service.releases).set(last, release) };
}

/** Every instance of the current release was started by somebody. */
export function allRun(service: Modelled): Modelled {
  const { current } = service;
  const settled = { ...currentOf(service), outcome: 'succeeded' as const };
  const places = Array.from({ length: wantedCount(service) }, () => runs(current));
  const releases = new Map(service.releases).set(current, settled);
  return { ...service, wanted: 'running', releases, places };
}

export function stopped(service: Modelled): Modelled {
  const places = service.places.map((place) => ({ ...place, state: 'stopped' as const, release: null }));
  return { ...service, wanted: 'stopped', places };
}

/** What does not run is started, those that run stay. */
export function woken(service: Modelled): Modelled {
  const places = service.places.map((place) =>
    place.state === 'live' ? place : { ...waits, number: place.number },
  );
  return { ...service, wanted: 'running', places };
}

export function instanceRestarted(service: Modelled, number: number): Modelled {
  const place = { ...runs(service.current), number: service.places[number - 1]?.number ?? null };
  return { ...service, wanted: 'running', places: service.places.with(number - 1, place) };
}

export function scaled(service: Modelled, count: number): Modelled {
  const scale = count === currentOf(service).instances ? null : count;
  return resized({ ...service, scale });
}

/** A new release is current that differs in nothing but the number of instances, if at all. */
export function updated(service: Modelled, instances: number | null): Modelled {
  const release = { ...currentOf(service), outcome: 'pending' as const };
  const last = service.last + 1;
  const releases = new Map(service.releases).set(last, {
    ...release,
    instances: instances ?? release.instances,
  });
  const scale = instances === null ? service.scale : null;
  return resized({ ...service, last, current: last, releases, scale });
}

function resized(service: Modelled): Modelled {
  const added = service.wanted === 'running' ? waits : never;
  const places = Array.from({ length: wantedCount(service) }, (_, at) => service.places[at] ?? added);
  return { ...service, places };
}

/** The release that a rollback takes; null: there is none. */
export function rollbackTarget({ releases, current }: Modelled): number | null {
  const earlier = [...releases].filter(
    ([number, { outcome }]) => number < current && outcome === 'succeeded',
  );
  return earlier.length === 0 ? null : Math.max(...earlier.map(([number]) => number));
}

export function rolledBack(service: Modelled, release: number): Modelled {
  const count = service.scale ?? service.releases.get(release)?.instances ?? 1;
  const scale = count === service.releases.get(release)?.instances ? null : count;
  return allRun({ ...service, current: release, scale });
}

/**
 * What can become of an instance that ended by itself, as the restart policy says. What it depends on is looked at by
 * `settled`: here a restart waits for it.
 */
export function ended(service: Modelled, number: number, endedWell: boolean): Modelled[] {
  const { policy, limit, retry_after } = variantOf(service);
  const place = service.places[number - 1];
  if (place?.state !== 'live') return [service];
  const become = (change: Partial<Place>): Modelled => ({
    ...service,
    places: service.places.with(number - 1, { ...place, release: null, ...change }),
  });
  if (policy === 'never' || (endedWell && policy === 'on_failure')) return [become({ state: 'stopped' })];
  const { count, recent } = place;
  const restarted = become({ state: 'due', count: add(count, 1), recent: add(recent, 1) });
  if (limit === 'unlimited') return [restarted];
  const gaveUp = become({ state: retry_after === null ? 'failed' : 'due', recent: 0 });
  if (recent === null) return [restarted, gaveUp];
  return [recent < limit ? restarted : gaveUp];
}

/** What becomes of an instance that ends again and again, until somebody makes it well. */
export function loopedUntilFailed(service: Modelled, number: number): Modelled {
  const { limit, retry_after } = variantOf(service);
  const place = service.places[number - 1];
  if (place === undefined || limit === 'unlimited') throw new Error('it never fails');
  const count = retry_after === null && place.recent !== null ? add(place.count, limit - place.recent) : null;
  const state = retry_after === null ? 'failed' : 'due';
  const recent = retry_after === null ? 0 : null;
  const failed: Place = { number: place.number, state, count, recent, release: null };
  return { ...service, places: service.places.with(number - 1, failed) };
}

/** The same, as far as it is known after something of which nobody knows how far it got. */
export function vague(service: Modelled | null): Modelled | null {
  if (service === null) return null;
  return {
    ...service,
    places: service.places.map((place) => ({
      ...place,
      number: null,
      count: null,
      recent: null,
      release: null,
    })),
  };
}

/** What what it depends on makes of a service: what waits runs when that is there, what may not run without it waits. */
export function settled(service: Modelled, isMet: boolean): Modelled {
  const { on_dependency_failure } = variantOf(service);
  const isEnded = !isMet && on_dependency_failure === 'stop';
  const places = service.places.map((place) => {
    const isFree = isMet || (place.state === 'due' && on_dependency_failure === 'ignore');
    if (place.state === 'pending' || place.state === 'due') {
      if (!isFree) return { ...place, state: 'pending' as const };
      // In a race it may have been started before another release became current.
      return { ...place, state: 'live' as const, release: place.count === null ? null : service.current };
    }
    if (place.state === 'live' && isEnded) return { ...place, state: 'pending' as const, release: null };
    return place;
  });
  return { ...service, places };
}

const never: Place = { number: null, state: 'stopped', count: 0, recent: 0, release: null };
const waits: Place = { number: null, state: 'pending', count: 0, recent: 0, release: null };

function runs(release: number): Place {
  return { number: null, state: 'live', count: 0, recent: 0, release };
}

function add(sum: number | null, more: number): number | null {
  return sum === null ? null : sum + more;
}
