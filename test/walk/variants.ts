import { join } from 'node:path';
import fc from 'fast-check';
import type { DependencyCondition } from '../../src/contract/policies.ts';
import type { SpecPatch } from '../../src/contract/spec.ts';

/** The services of a walk, each after those that it may depend on. */
export const names = ['db', 'api', 'web', 'worker', 'solo'] as const;
export type Name = (typeof names)[number];

/** What each may depend on; who is depended on has a probe and a line that says that it is ready. */
export const mayDependOn: Readonly<Record<Name, Name | null>> = {
  db: null,
  api: 'db',
  web: 'api',
  worker: 'db',
  solo: null,
};

/** How the program behaves: see program.pl. */
export type Way = 'steady' | 'stubborn' | 'brief' | 'deaf';

/** A spec, as far as the walk varies it. */
export interface Variant {
  readonly way: Way;
  readonly instances: number;
  readonly port: 'auto' | 'fixed';
  readonly min_uptime: '0s' | '30ms';
  readonly probe: 'readiness' | 'ready_log' | 'both';
  readonly liveness: boolean;
  readonly policy: 'always' | 'on_failure' | 'never';
  readonly limit: 2 | 'unlimited';
  readonly retry_after: '200ms' | null;
  readonly initial: '0s' | '10ms';
  readonly condition: Exclude<DependencyCondition, 'completed'> | null;
  readonly on_dependency_failure: 'wait' | 'stop' | 'restart' | 'ignore';
  readonly rollout: 'recreate' | 'one_by_one' | 'all_beside' | 'in_place';
}

/** Of services that stay up. */
export const steady: fc.Arbitrary<Variant> = variant(
  fc.oneof(
    { weight: 4, arbitrary: fc.constant('steady' as const) },
    { weight: 1, arbitrary: fc.constant('stubborn' as const) },
  ),
);
/** Of services whose deploy fails. */
export const failing: fc.Arbitrary<Variant> = variant(
  fc.oneof(
    { weight: 3, arbitrary: fc.constant('brief' as const) },
    { weight: 1, arbitrary: fc.constant('deaf' as const) },
  ),
);

/** What each service is when a walk begins. */
export const usual: Variant = {
  way: 'steady',
  instances: 2,
  port: 'auto',
  min_uptime: '0s',
  probe: 'both',
  liveness: false,
  policy: 'always',
  limit: 2,
  retry_after: null,
  initial: '0s',
  condition: 'healthy',
  on_dependency_failure: 'restart',
  rollout: 'recreate',
};

function variant(way: fc.Arbitrary<Way>): fc.Arbitrary<Variant> {
  return fc.record({
    way,
    instances: fc.constantFrom(1, 1, 2, 3),
    port: fc.constantFrom('auto', 'auto', 'fixed'),
    min_uptime: fc.constantFrom('0s', '30ms'),
    probe: fc.constantFrom('readiness', 'ready_log', 'both'),
    liveness: fc.boolean(),
    policy: fc.constantFrom('always', 'always', 'on_failure', 'never'),
    limit: fc.constantFrom<Variant['limit']>(2, 'unlimited'),
    retry_after: fc.constantFrom(null, null, '200ms'),
    initial: fc.constantFrom('0s', '10ms'),
    condition: fc.constantFrom<Variant['condition']>('started', 'healthy', 'log_ready', null),
    on_dependency_failure: fc.constantFrom('wait', 'stop', 'restart', 'ignore'),
    rollout: fc.constantFrom<Variant['rollout']>('recreate', 'one_by_one', 'all_beside', 'in_place'),
  });
}

export interface SpecOptions {
  readonly home: string;
  readonly name: Name;
  readonly variant: Variant;
  /** By what the variant is found again in a release. */
  readonly id: number;
  readonly firstPort: number;
}

/** Whether a service has the readiness probe; who is depended on has it always. */
export function hasReadiness(name: Name, { probe }: Variant): boolean {
  return isDependedOn(name) || probe !== 'ready_log';
}

function isDependedOn(name: Name): boolean {
  return Object.values(mayDependOn).includes(name);
}

/** What a service of this variant depends on; null: nothing. */
export function dependencyOf(name: Name, { condition }: Variant) {
  const on = mayDependOn[name];
  return on === null || condition === null ? null : { on, condition };
}

const patience = '20s';

const rollouts = {
  recreate: { strategy: 'recreate' },
  one_by_one: { strategy: 'rolling', max_surge: 1 },
  all_beside: { strategy: 'rolling', max_surge: '100%' },
  in_place: { strategy: 'rolling', max_surge: 0 },
} as const;

/** The whole spec, with every field that a variant before it may have set. */
export function specOf({ home, name, variant, id, firstPort }: SpecOptions): SpecPatch {
  const { way, instances, min_uptime, probe, policy, limit, retry_after, initial } = variant;
  const dependency = dependencyOf(name, variant);
  const others = Object.values(mayDependOn).filter((other) => other !== null && other !== dependency?.on);
  const noOthers = Object.fromEntries(others.map((other) => [other, null]));
  const isLimited = limit !== 'unlimited';
  return {
    command: ['perl', join(import.meta.dirname, 'program.pl'), way, String(id)],
    env: { WALK_HOME: home },
    instances,
    port: variant.port === 'auto' ? 'auto' : firstPort,
    // On a busy machine it takes its time until it ends, and is not to be taken for one that stays up.
    min_uptime: way === 'brief' ? patience : min_uptime,
    ready_log: probe !== 'readiness' || isDependedOn(name) ? '^ready$' : null,
    readiness: hasReadiness(name, variant) ? { ...probeOf('ready'), unhealthy_threshold: 2 } : null,
    // Long on a busy machine: nothing is to be found dead that is not.
    liveness: variant.liveness
      ? { ...probeOf('live'), unhealthy_threshold: 2, start_period: patience }
      : null,
    restart: {
      policy,
      backoff: { initial, max: '10ms', jitter: 0 },
      limit: { count: limit, within: '1h', retry_after },
      reset_after: isLimited ? '1h' : '0s',
    },
    depends_on: { ...noOthers, ...(dependency && { [dependency.on]: dependency.condition }) } as Record<
      string,
      DependencyCondition
    >,
    on_dependency_failure: variant.on_dependency_failure,
    stop: { timeout: way === 'stubborn' ? '50ms' : '5s' },
    rollout: { ...rollouts[variant.rollout], ready_timeout: way === 'deaf' ? '250ms' : patience },
  };
}

function probeOf(kind: 'ready' | 'live') {
  return { type: 'http', path: `/${kind}`, interval: '100ms', timeout: '5s' } as const;
}
