/**
 * What is wrong with a release, if anything: nothing; its process ends at once; it runs and is never ready; it is ready, and
 * answers every request with 500 then.
 */
export type ReleaseKind = 'good' | 'exits' | 'never_ready' | 'answers_500';

export const brokenKinds = ['exits', 'never_ready', 'answers_500'] as const;

export interface ReleaseParts {
  readonly command: readonly string[];
  readonly version: string;
  readonly kind: ReleaseKind;
  readonly instances: number;
  readonly strategy: string;
  /** More of its environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** The spec of a release that takes all that comes to the routers. */
export function releaseSpec({ command, version, kind, instances, strategy, env }: ReleaseParts): object {
  return {
    command,
    env: { ...env, VERSION: version, KIND: kind },
    instances,
    port: 'auto',
    min_uptime: '0s',
    readiness: { type: 'http', path: '/ready', interval: '100ms', timeout: '10s' },
    routes: [{}],
    restart: { backoff: { initial: '100ms' } },
    rollout: {
      strategy,
      ready_timeout: kind === 'never_ready' ? '3s' : '60s',
      drain_timeout: '1s',
      drain_spread: '500ms',
      ...baking(kind),
    },
  };
}

/** What answers with 500 is found out only while it is compared with what served before; a good release need not wait for that. */
function baking(kind: ReleaseKind): object {
  return kind === 'answers_500' ? { bake: '30s', tolerance: { requests: 10 } } : { bake: '0s' };
}
