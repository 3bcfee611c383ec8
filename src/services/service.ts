import type { ErrorCode } from '../contract/error_codes.ts';
import type { InstanceState } from '../contract/instances.ts';
import type { Rollout } from '../contract/rollout.ts';
import type { ServiceState, ServiceStatus } from '../contract/services.ts';
import type { Spec } from '../contract/spec.ts';
import { type Instance, isReady, pidOf } from './instance.ts';

export type RolloutStrategy = NonNullable<Rollout['strategy']>;

/** The part of the requests that a release gets, by weight. */
export interface Share {
  readonly release: number;
  readonly weight: number;
}

/** The replacement of what runs by a release that is under way: written down before anything is touched. */
export interface UnderWay {
  readonly release: number;
  /** How many instances of it are to run. */
  readonly instances: number;
  readonly strategy: RolloutStrategy;
  /** The numbers of the instances of the new release, or of what runs anew. */
  readonly places: readonly number[];
  /** What share of the requests each release gets meanwhile; null: all instances are alike. */
  readonly shares: readonly Share[] | null;
  /** The id of the deployment that this is; null: it is none. */
  readonly deployment: number | null;
  /** What ran before it, and as which instances; null when nothing did. */
  readonly before: {
    readonly release: number;
    readonly instance_ids: readonly string[];
    /** Left out: the first ones. */
    readonly numbers?: readonly number[];
  } | null;
  readonly actor: string;
  /** Whether the release is a new one, which a deployment tries. */
  readonly is_deployment: boolean;
  /** The id of the event that began it. */
  readonly cause: number | null;
  /** Whether an agent has taken it up after another one died in it: no third one tries. */
  readonly was_resumed: boolean;
  /** Why what ran before is being put back; left out: that is not so. */
  readonly failure?: { readonly code: ErrorCode; readonly message: string };
}

/** A service as the registry holds it and the store keeps it. */
export interface Service {
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly created_at: number;
  readonly wanted: 'running' | 'stopped';
  /** The release that runs, or that the next start takes. */
  readonly current_release: number;
  /** The greatest release number given so far. */
  readonly last_release: number;
  /** How often instances of it were started; the number of the last run. */
  readonly runs: number;
  /** How many instances somebody asked for beside the spec; null: as many as the spec says. */
  readonly scale: number | null;
  /** The name of the declaration that it comes from; null: of none. */
  readonly declared_in: string | null;
  /** By number, which may leave gaps. */
  readonly instances: readonly Instance[];
  readonly under_way: UnderWay | null;
}

/** How many instances of it there are to be. */
export function wantedInstances({ scale }: Pick<Service, 'scale'>, { instances }: Spec): number {
  return scale ?? instances;
}

/** Those that have a process. */
export function runningInstances({ instances }: Service): readonly Instance[] {
  return instances.filter(({ process }) => process !== null);
}

/** Which state of an instance tells most of the service, first. */
const precedence: readonly InstanceState[] = [
  'running',
  'starting',
  'paused',
  'draining',
  'stopping',
  'backoff',
  'pending',
  'failed',
  'stopped',
  'completed',
];

/** Those whose places stay, whether they have a process or not. */
export function stayingInstances({ instances }: Service): readonly Instance[] {
  return instances.filter(({ draining }) => draining?.is_leaving !== true);
}

/** The state of a service: that of its instance which tells most. */
export function stateOf({ instances, wanted }: Service, spec: Spec): ServiceState {
  const state = precedence.find((each) => instances.some((instance) => instance.state === each)) ?? 'stopped';
  const waitsForItsTime = spec.schedule !== null && wanted === 'running';
  return waitsForItsTime && (state === 'stopped' || state === 'completed') ? 'scheduled' : state;
}

/** The status of a service as every interface shows it. */
export function statusOf(
  service: Service,
  current: Spec,
  { next_run, restart_required }: { readonly next_run: Date | null; readonly restart_required: boolean },
): ServiceStatus {
  const running = runningInstances(service);
  const first = running.find(({ draining }) => draining === null) ?? running[0];
  const status = stateOf(service, current);
  const facts = {
    release: service.current_release,
    wanted: service.wanted,
    restart_required,
    instances: {
      wanted: wantedInstances(service, current),
      running: running.filter(({ draining }) => draining === null).length,
      ready: service.instances.filter(isReady).length,
    },
    restarts: service.instances.reduce((sum, { restarts }) => sum + restarts.count, 0),
    next_run: next_run?.toISOString() ?? null,
  };
  if (first?.process) {
    return {
      status,
      pid: pidOf(first.process),
      command: current.command,
      start_time: new Date(first.process.started_at).toISOString(),
      message: sentence(service, status),
      ...facts,
    };
  }
  const exit = lastExitOf(service);
  return {
    status,
    command: current.command,
    ...(exit && { return_code: exit.return_code, end_time: new Date(exit.at).toISOString() }),
    ...(exit?.signal && { signal: exit.signal }),
    message: sentence(service, status),
    ...facts,
  };
}

/** How the instance that ended last did. */
function lastExitOf({ instances }: Service) {
  const exits = instances.flatMap(({ last_exit }) => last_exit ?? []);
  return exits.toSorted((a, b) => b.at - a.at)[0] ?? null;
}

function sentence(service: Service, state: ServiceState): string {
  const instances = stayingInstances(service);
  const what = stateSentence(service, state);
  const off = instances.filter(({ process }) => process === null);
  if (instances.length < 2 || off.length === 0 || off.length === instances.length) return what;
  const [example] = off;
  const why =
    example?.last_exit === null ? '' : `; instance ${example?.number}: ${example?.last_exit.message}`;
  return `${instances.length - off.length} of ${instances.length} instances run${why}`;
}

function stateSentence(service: Service, state: ServiceState): string {
  const exit = lastExitOf(service);
  switch (state) {
    case 'stopped':
    case 'completed':
      return exit?.message ?? 'Service has not been started yet';
    case 'backoff':
      return `${exit?.message ?? 'It ended'}; it is started again at ${timeOf(service)}`;
    case 'failed':
      return `${exit?.message ?? 'It ended'}; it is not started again by itself${laterTry(service)}`;
    case 'pending':
      return 'Service waits for what it depends on';
    case 'scheduled':
      return exit === null ? 'Task waits for its time' : `Task waits for its time; last: ${exit.message}`;
    default:
      return `Service is ${state}`;
  }
}

function laterTry(service: Service): string {
  return service.instances.some(({ retry_at }) => retry_at !== null) ? ` before ${timeOf(service)}` : '';
}

function timeOf({ instances }: Service): string {
  return new Date(Math.min(...instances.flatMap(({ retry_at }) => retry_at ?? []))).toISOString();
}
