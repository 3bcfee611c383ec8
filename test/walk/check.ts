import type { InstanceStatus } from '../../src/contract/instances.ts';
import type { SeenProcess } from './host.ts';
import type { Lane, Seen, ShownService } from './lane.ts';
import {
  currentOf,
  type Modelled,
  type Place,
  settled,
  variantOf,
  type World,
  wantedCount,
} from './model.ts';
import { dependencyOf, type Name, names } from './variants.ts';

/** What is so, as far as that can be so: with what was not known before, and with what is not as it must be. */
export interface Verdict {
  readonly world: World;
  readonly problems: readonly string[];
}

/** Holds what was seen against what must be. */
export function compare(lane: Lane, world: World, seen: Seen): Verdict {
  const problems = hostProblems(lane, seen);
  const learned = names.map((name) => {
    const [service, shown] = [world[name], seen.services[name]];
    if (service === null || shown === undefined) {
      if ((service === null) !== (shown === undefined))
        problems.push(`"${name}" is ${shown === undefined ? 'not ' : ''}there`);
      return [name, service] as const;
    }
    const expected = settled(service, isMet(name, service, seen));
    const wrong = serviceProblems(expected, shown);
    problems.push(...wrong.map((problem) => `"${name}": ${problem}`));
    return [name, learn(expected, shown)] as const;
  });
  return { world: Object.fromEntries(learned) as World, problems };
}

/** Whether that is there, as it was seen, on which a service depends. */
export function isMet(name: Name, service: Modelled, seen: Seen): boolean {
  return isThere(dependencyOf(name, variantOf(service)), seen);
}

export function isThere(dependency: ReturnType<typeof dependencyOf>, seen: Seen): boolean {
  if (dependency === null) return true;
  const instances = seen.services[dependency.on]?.instances ?? [];
  if (dependency.condition === 'healthy') return instances.some(({ ready }) => ready);
  return instances.some(({ status }) => status === 'running');
}

const shownAs: Readonly<Record<Place['state'], readonly InstanceStatus['status'][]>> = {
  live: ['running', 'paused'],
  pending: ['pending'],
  due: [],
  failed: ['failed'],
  stopped: ['stopped'],
};

function serviceProblems(service: Modelled, { status, instances }: ShownService): string[] {
  const { wanted, current, places } = service;
  const facts: [string, unknown, unknown][] = [
    ['wanted', status.wanted, wanted],
    ['release', status.release, current],
    ['instances.wanted', status.instances.wanted, wantedCount(service)],
    ['the number of instances', instances.length, places.length],
    ['instances.running', status.instances.running, places.filter(({ state }) => state === 'live').length],
    ['instances.ready', status.instances.ready, instances.filter(({ ready }) => ready).length],
  ];
  const wrong = facts.filter(([, found, expected]) => found !== expected);
  return [
    ...wrong.map(([what, found, expected]) => `${what} is ${found}, not ${expected}`),
    ...pairs(service, instances).flatMap(([place, instance]) => instanceProblems(service, place, instance)),
  ];
}

/** Which instance is in which place: that with its number or, where any will do, one that may be there. */
function pairs(
  service: Modelled,
  instances: readonly InstanceStatus[],
): (readonly [Place, InstanceStatus])[] {
  const left = [...instances];
  const take = (at: number) => left.splice(at < 0 ? 0 : at, 1)[0];
  const byNumber = service.places.toSorted(
    (one, other) => Number(one.number === null) - Number(other.number === null),
  );
  return byNumber.flatMap((place) => {
    const fits = (shown: InstanceStatus) =>
      place.number === null
        ? instanceProblems(service, place, shown).length === 0
        : shown.instance === place.number;
    const instance = take(left.findIndex(fits));
    return instance === undefined ? [] : [[place, instance] as const];
  });
}

function instanceProblems(service: Modelled, place: Place, shown: InstanceStatus): string[] {
  const { state, count, number } = place;
  const subject = `instance ${shown.instance}`;
  const problems: string[] = [];
  if (number !== null && shown.instance !== number) problems.push(`${subject} is there, not ${number}`);
  if (!shownAs[state].includes(shown.status))
    problems.push(`${subject} is ${shown.status}, not ${state}: ${shown.message}`);
  if (count !== null && shown.restarts !== count)
    problems.push(`${subject} was restarted ${shown.restarts} times, not ${count}`);
  // What is restarted because of what it depends on is of the current release then.
  const releases = state === 'live' ? [place.release, service.current] : [null];
  const isUnknown = state === 'live' && place.release === null;
  if (!isUnknown && !releases.includes(shown.release))
    problems.push(`${subject} is of release ${shown.release}, not ${place.release}`);
  return problems;
}

/** What the agent says that it is, and what the host shows. */
function hostProblems(lane: Lane, { services, processes }: Seen): string[] {
  const problems: string[] = [];
  const programs = Map.groupBy(
    processes.filter(({ role }) => role === 'program'),
    ({ service, number }) => `${service}/${number}`,
  );
  const known = new Set<string>();
  const ports = new Map<number, string>();
  for (const [name, { instances }] of Object.entries(services)) {
    for (const shown of instances) {
      const key = `${name}/${shown.instance}`;
      const own = programs.get(key) ?? [];
      known.add(key);
      if (own.length > 1) problems.push(`${key} runs ${own.length} times`);
      problems.push(...programProblems(lane, name, shown, own[0]));
      if (shown.port === null || shown.pid === undefined) continue;
      const other = ports.get(shown.port);
      if (other !== undefined) problems.push(`${key} and ${other} have the port ${shown.port}`);
      ports.set(shown.port, key);
      const [first] = lane.portRange;
      if (shown.port < first || shown.port > first + 199) problems.push(`${key} has the port ${shown.port}`);
    }
  }
  for (const key of programs.keys()) if (!known.has(key)) problems.push(`${key} runs, of which nobody knows`);
  return [...problems, ...leftovers(processes)];
}

function programProblems(
  lane: Lane,
  name: string,
  shown: InstanceStatus,
  own: SeenProcess | undefined,
): string[] {
  const key = `${name}/${shown.instance}`;
  if (own?.pid !== shown.pid) return [`${key} is shown as ${shown.pid}, and runs as ${own?.pid}`];
  if (own === undefined) return [];
  const problems: string[] = [];
  if (own.release !== shown.release)
    problems.push(`${key} is shown as release ${shown.release}, and is ${own.release}`);
  const isPaused = shown.status === 'paused';
  if (own.isHalted !== isPaused)
    problems.push(`${key} is ${shown.status}, and ${own.isHalted ? 'halted' : 'not halted'}`);
  const isSick = (kind: 'readiness' | 'liveness', mark: 'ready' | 'live') =>
    shown[kind] !== null && lane.isMarked(name, shown.instance, mark, own.pid);
  const isReady = !isPaused && !isSick('readiness', 'ready') && !isSick('liveness', 'live');
  if (shown.ready !== isReady) problems.push(`${key} is ${shown.ready ? '' : 'not '}ready: ${shown.message}`);
  return problems;
}

/** Processes of instances whose program is gone. */
function leftovers(processes: readonly SeenProcess[]): string[] {
  return [...Map.groupBy(processes, ({ id }) => id)].flatMap(([id, members]) => {
    if (members.some(({ role }) => role === 'program')) return [];
    const left = members.filter(({ role }) => role !== 'held');
    return left.map(({ pid, role }) => `the ${role} ${pid} of instance ${id} is left`);
  });
}

/** What was not known, or could not be. */
function learn(service: Modelled, { instances }: ShownService): Modelled {
  const places = pairs(service, instances).map(([place, { instance, restarts, release }]) => {
    return { ...place, number: instance, count: restarts, release };
  });
  return { ...service, places: places.toSorted((one, other) => one.number - other.number) };
}

/** What the current release of a service is, in a word. */
export function describe(service: Modelled | null): string {
  if (service === null) return 'absent';
  const { wanted, current, places } = service;
  const states = places.map(
    ({ number, state, count, recent }) => `${number ?? '?'} ${state} ${count ?? '?'}/${recent ?? '?'}`,
  );
  return `${wanted}, release ${current}: ${states.join(', ')}; ${JSON.stringify(currentOf(service).variant)}`;
}
