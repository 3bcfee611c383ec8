import type { HealthVerdict } from '../contract/health.ts';
import type { InstanceState, InstanceStatus } from '../contract/instances.ts';

/** The process tree of an instance: enough to prove, later, that a pid is still this process. */
export interface InstanceProcess {
  /** The process that leads the tree: the wrapper of the program. */
  readonly pid: number;
  /** Clock ticks from boot to its start, from /proc. */
  readonly start_ticks: string;
  readonly boot_id: string;
  /** The program itself; null until it is known. */
  readonly main_pid: number | null;
  /** Stands in the environment of every process of the tree. */
  readonly instance_id: string;
  /** The folder of its control group; null when it has none. */
  readonly control_group: string | null;
  readonly release: number;
  /** Milliseconds since the epoch. */
  readonly started_at: number;
}

/** How and why a process ended. */
export interface LastExit {
  /** As a shell counts: 128 + the signal's number when a signal ended it; null when nobody saw it end. */
  readonly return_code: number | null;
  readonly signal: string | null;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly reason:
    | 'exited'
    | 'out_of_memory'
    | 'unhealthy'
    | 'dependency'
    | 'stopped'
    | 'start_failed'
    | 'start_lost'
    | 'agent_stopped'
    | 'host_rebooted';
  readonly message: string;
}

/** The restarts of an instance since someone started its service. */
export interface Restarts {
  readonly count: number;
  /** How many followed each other without the instance having been up for `reset_after`. */
  readonly streak: number;
  /** When the last ones were, within the time in which they are limited; milliseconds since the epoch, oldest first. */
  readonly recent: readonly number[];
}

export const noRestarts: Restarts = { count: 0, streak: 0, recent: [] };

interface Draining {
  readonly until: number;
  readonly spread: number;
  readonly is_leaving: boolean;
}

/** One of the processes of a service, or the place of one. */
export interface Instance {
  /** From 1. */
  readonly number: number;
  readonly state: InstanceState;
  readonly process: InstanceProcess | null;
  /** The number of its last run among those of the service; 0 when it has had none. */
  readonly run: number;
  /** The port that it has, or had last and gets again if it can. */
  readonly port: number | null;
  /** What its probes say; null where it has no such probe. */
  readonly readiness: HealthVerdict | null;
  readonly liveness: HealthVerdict | null;
  /** Whether the line that says that it is ready was seen; null where no such line is waited for. */
  readonly has_logged_ready: boolean | null;
  /** What the last probe said that failed. */
  readonly last_probe: string | null;
  readonly last_exit: LastExit | null;
  readonly restarts: Restarts;
  /**
   * Of one that is to go: from when on, in milliseconds since the epoch, connections that are still open are closed, and over
   * how many milliseconds; and whether its place goes with it. Null: it is to stay.
   */
  readonly draining: Draining | null;
  /** When it is started again, in milliseconds since the epoch; null when that is not planned. */
  readonly retry_at: number | null;
  /** The id of the event that last changed it: the cause of the next one. */
  readonly last_event: number | null;
}

export function newInstance(number: number, state: 'stopped' | 'pending' = 'stopped'): Instance {
  return {
    number,
    state,
    process: null,
    run: 0,
    port: null,
    readiness: null,
    liveness: null,
    has_logged_ready: null,
    last_probe: null,
    last_exit: null,
    restarts: noRestarts,
    draining: null,
    retry_at: null,
    last_event: null,
  };
}

/** The pid by which people know a process: the program's. */
export function pidOf({ main_pid, pid }: InstanceProcess): number {
  return main_pid ?? pid;
}

/** Whether connections may go to it. */
export function isReady({ state, draining, readiness, liveness, has_logged_ready }: Instance): boolean {
  const isWell = (verdict: HealthVerdict | null) => verdict === null || verdict === 'healthy';
  // One that was only starting when it was to go has never drained.
  return (
    state === 'running' &&
    draining === null &&
    isWell(readiness) &&
    isWell(liveness) &&
    has_logged_ready !== false
  );
}

/** Whether it is to be started, if not at once. */
export function waitsForStart({ state, retry_at }: Instance): boolean {
  return state === 'pending' || state === 'backoff' || (state === 'failed' && retry_at !== null);
}

/** An instance as every interface shows it. */
export function instanceStatus(instance: Instance): InstanceStatus {
  const { number, state, process, port, readiness, liveness, restarts, retry_at, last_exit } = instance;
  return {
    instance: number,
    status: state,
    ready: isReady(instance),
    ...(process && { pid: pidOf(process), start_time: new Date(process.started_at).toISOString() }),
    port,
    release: process?.release ?? null,
    readiness,
    liveness,
    restarts: restarts.count,
    ...(retry_at !== null && { retry_time: new Date(retry_at).toISOString() }),
    ...(last_exit && { return_code: last_exit.return_code, end_time: new Date(last_exit.at).toISOString() }),
    ...(last_exit?.signal && { signal: last_exit.signal }),
    message: sentence(instance),
  };
}

function sentence({ state, process, last_exit, readiness, liveness, has_logged_ready }: Instance): string {
  if (process === null) return last_exit?.message ?? 'It has not been started yet';
  if (state === 'draining') return 'It finishes what it has, and then ends';
  if (state !== 'running') return `It is ${state}`;
  if (liveness === 'unhealthy') return 'It runs, but its liveness probe fails';
  if (readiness === 'unhealthy') return 'It runs, but its readiness probe fails';
  if (has_logged_ready === false) return 'It runs, but has not said yet that it is ready';
  if (readiness === 'unknown' || liveness === 'unknown') return 'It runs, and is being probed';
  return 'It is running';
}
