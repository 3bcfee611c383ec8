import fc from 'fast-check';
import type { DependencyCondition } from '../../src/contract/policies.ts';
import type { SpecPatch } from '../../src/contract/spec.ts';
import type { Answer } from '../helpers/agent.ts';
import { isMet, isThere } from './check.ts';
import type { Lane, Seen } from './lane.ts';
import type { Modelled, World } from './model.ts';
import * as model from './model.ts';
import { dependencyOf, failing, type Name, names, steady, type Variant } from './variants.ts';

/** What is so before something is done. */
export interface Situation {
  readonly world: World;
  readonly seen: Seen;
}

/** What an operation answers and makes of its service. */
export interface Effect {
  readonly status: number;
  readonly after: Modelled | null;
}

/** One operation of the API on one service. */
export interface Ask {
  readonly title: string;
  readonly service: Name;
  /** What it does when nothing else happens; null: that cannot be foreseen. */
  effect(before: Modelled | null, situation: Situation): Effect | null;
  send(lane: Lane, situation: Situation): Promise<Answer | null>;
}

const anyName = fc.constantFrom(...names);
const unknown = { status: 404, after: null } as const;

/** Any operation, by how often it comes. */
export const anyAsk: fc.Arbitrary<Ask> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(anyName, steady).map(([name, variant]) => deploy(name, variant)) },
  { weight: 3, arbitrary: fc.tuple(anyName, failing).map(([name, variant]) => deploy(name, variant)) },
  { weight: 4, arbitrary: anyName.map(stop) },
  { weight: 5, arbitrary: anyName.map(start) },
  { weight: 4, arbitrary: anyName.map(restart) },
  { weight: 3, arbitrary: fc.tuple(anyName, fc.integer({ min: 1, max: 4 })).map(restartInstance) },
  { weight: 5, arbitrary: fc.tuple(anyName, fc.integer({ min: 1, max: 4 })).map(scale) },
  { weight: 2, arbitrary: fc.tuple(anyName, fc.constantFrom(null, null, 1, 2, 3)).map(update) },
  { weight: 3, arbitrary: anyName.map(rollback) },
  { weight: 1, arbitrary: anyName.map(remove) },
  { weight: 1, arbitrary: fc.tuple(anyName, steady).map(create) },
);

/** Operations that only make sense alone. */
export const anyLoneAsk: fc.Arbitrary<Ask> = fc.oneof(
  { weight: 2, arbitrary: anyName.map(pause) },
  { weight: 3, arbitrary: anyName.map(resume) },
  { weight: 1, arbitrary: anyName.map(signalAll) },
  { weight: 1, arbitrary: anyName.map(deployNonsense) },
);

export function deploy(service: Name, variant: Variant): Ask {
  const isMetFor = ({ seen }: Situation) => isThere(dependencyOf(service, variant), seen);
  return {
    title: `deploy ${service} ${JSON.stringify(variant)}`,
    service,
    effect: (before, situation) => {
      if (lacksDependency(service, variant, situation.world)) return { status: 400, after: before };
      if (!isMetFor(situation)) return { status: 422, after: model.withRelease(before, variant, 'failed') };
      // It is started, for a while, and no more than that.
      if (variant.way === 'deaf' && isAwaited(service, situation, ['started'])) return null;
      if (variant.way === 'steady' || variant.way === 'stubborn')
        return { status: 200, after: model.deployed(before, variant) };
      const running = runningNumbers(before);
      if (running === null && variant.port === 'fixed') return null;
      const strategy = model.strategyFor(variant, running ?? new Array(count(before)).fill(0));
      return { status: 422, after: model.deployFailed(before, variant, strategy) };
    },
    send: (lane, situation) => {
      const spec = lane.specOf(service, variant);
      const impatient = isMetFor(situation) ? {} : { rollout: { ready_timeout: '50ms' } };
      return lane.ask('POST', `/service/${service}/deploy`, { ...spec, ...impatient });
    },
  };
}

function stop(service: Name): Ask {
  return plain('stop', service, `/service/${service}/stop`, (before) => model.stopped(before));
}

function start(service: Name): Ask {
  return plain('start', service, `/api/v1/services/${service}/start`, (before, situation) => {
    const running = count(before);
    if (running === model.wantedCount(before)) return { ...before, wanted: 'running' };
    if (running > 0 || !isMet(service, before, situation.seen)) return model.woken(before);
    return model.isGood(before) ? model.allRun(before) : null;
  });
}

function restart(service: Name): Ask {
  return plain('restart', service, `/service/${service}/restart`, (before, { seen }) =>
    model.isGood(before) && isMet(service, before, seen) ? model.allRun(before) : null,
  );
}

function restartInstance([service, number]: [Name, number]): Ask {
  const pathOf = (instance: number) => `/api/v1/services/${service}/instances/${instance}/restart`;
  return {
    ...plain(`restart of instance ${number} of`, service, '', (before) => before),
    send: (lane, { seen }) => {
      const numbers = (seen.services[service]?.instances ?? []).map(({ instance }) => instance);
      return lane.ask('POST', pathOf(numbers[number - 1] ?? Math.max(0, ...numbers) + 1));
    },
    effect: (before, { seen }) => {
      if (before === null || number > before.places.length) return { status: 404, after: before };
      if (!model.isGood(before) || !isMet(service, before, seen)) return null;
      return { status: 200, after: model.instanceRestarted(before, number) };
    },
  };
}

function scale([service, instances]: [Name, number]): Ask {
  const path = `/api/v1/services/${service}/scale`;
  return plain(`scale to ${instances}:`, service, path, (before) => model.scaled(before, instances), {
    instances,
  });
}

function update([service, instances]: [Name, number | null]): Ask {
  const body = { ...(instances !== null && { instances }), env: { NOTE: String(instances) } };
  return {
    ...plain(`update to ${instances} instances:`, service, '', (before) => model.updated(before, instances)),
    send: (lane) => lane.ask('PATCH', `/api/v1/services/${service}`, body),
  };
}

function rollback(service: Name): Ask {
  const path = `/api/v1/services/${service}/rollback`;
  return {
    ...plain('rollback', service, path, (before) => before),
    effect: (before, situation) => {
      const target = before && model.rollbackTarget(before);
      const release = before?.releases.get(target ?? 0);
      if (before === null || target === null || release === undefined) return { status: 404, after: before };
      if (lacksDependency(service, release.variant, situation.world)) return { status: 400, after: before };
      if (!isThere(dependencyOf(service, release.variant), situation.seen)) return null;
      return { status: 200, after: model.rolledBack(before, target) };
    },
  };
}

function remove(service: Name): Ask {
  return {
    title: `delete ${service}`,
    service,
    effect: (before, { world }) => {
      if (before === null) return unknown;
      const isNeeded = names.some((other) => {
        const dependent = world[other];
        return dependent && dependencyOf(other, model.variantOf(dependent))?.on === service;
      });
      return isNeeded ? { status: 409, after: before } : { status: 200, after: null };
    },
    send: (lane) => lane.ask('DELETE', `/api/v1/services/${service}`),
  };
}

function create([service, variant]: [Name, Variant]): Ask {
  return {
    title: `create ${service} ${JSON.stringify(variant)}`,
    service,
    effect: (before, { world }) => {
      if (lacksDependency(service, variant, world)) return { status: 400, after: before };
      return before === null
        ? { status: 201, after: model.created(variant) }
        : { status: 409, after: before };
    },
    send: (lane) =>
      lane.ask('POST', '/api/v1/services', {
        id: service,
        ...withoutRemovals(lane.specOf(service, variant)),
      }),
  };
}

function pause(service: Name): Ask {
  return allOrNone('pause', service, 'running');
}

function resume(service: Name): Ask {
  return allOrNone('resume', service, 'paused');
}

function allOrNone(verb: 'pause' | 'resume', service: Name, from: 'running' | 'paused'): Ask {
  return {
    ...plain(verb, service, `/api/v1/services/${service}/${verb}`, (before) => before),
    effect: (before, { seen }) => {
      if (before === null) return unknown;
      const live = (seen.services[service]?.instances ?? []).filter(({ pid }) => pid !== undefined);
      const can = live.length > 0 && live.every(({ status }) => status === from);
      return { status: can ? 200 : 409, after: before };
    },
  };
}

/** The children of the programs end by it, which nobody is to mind. */
function signalAll(service: Name): Ask {
  const path = `/api/v1/services/${service}/signal`;
  const body = { signal: 'SIGHUP' };
  return {
    ...plain('SIGHUP to', service, path, (before) => before, body),
    effect: (before) =>
      before === null ? unknown : { status: count(before) > 0 ? 200 : 409, after: before },
  };
}

function deployNonsense(service: Name): Ask {
  const path = `/service/${service}/deploy`;
  return {
    ...plain('deploy of a command that is not there:', service, path, (before) => before, {
      command: ['/nowhere/nothing'],
    }),
    effect: (before) => ({ status: 422, after: before }),
  };
}

/** A service that is not there answers 404; null: what becomes of it cannot be foreseen. */
function plain(
  verb: string,
  service: Name,
  path: string,
  after: (before: Modelled, situation: Situation) => Modelled | null,
  body?: unknown,
): Ask {
  return {
    title: `${verb} ${service}`,
    service,
    effect: (before, situation) => {
      if (before === null) return unknown;
      const changed = after(before, situation);
      return changed && { status: 200, after: changed };
    },
    send: (lane) => lane.ask('POST', path, body),
  };
}

function count(service: Modelled | null): number {
  return liveOf(service).length;
}

/** Whether another service lacks this one, and acts as soon as it is there, however short that is. */
export function isAwaited(
  service: Name,
  { world, seen }: Situation,
  conditions: readonly DependencyCondition[] = ['started', 'healthy', 'log_ready'],
): boolean {
  return names.some((other) => {
    const dependency = world[other] && dependencyOf(other, model.variantOf(world[other]));
    if (dependency?.on !== service || !conditions.includes(dependency.condition)) return false;
    return !isThere(dependency, seen);
  });
}

/** Null: nobody knows. */
function runningNumbers(service: Modelled | null): readonly number[] | null {
  const numbers = liveOf(service).flatMap(({ number }) => number ?? []);
  return numbers.length < count(service) ? null : numbers;
}

function liveOf(service: Modelled | null): readonly model.Place[] {
  return service?.places.filter(({ state }) => state === 'live') ?? [];
}

/** A new service has nothing that could be taken away. */
function withoutRemovals({ depends_on, ...spec }: SpecPatch): SpecPatch {
  const kept = Object.entries(depends_on ?? {}).filter(([, condition]) => condition !== null);
  return { ...spec, depends_on: Object.fromEntries(kept) };
}

function lacksDependency(service: Name, variant: Variant, world: World): boolean {
  const on = dependencyOf(service, variant)?.on;
  return on !== undefined && world[on] === null;
}
