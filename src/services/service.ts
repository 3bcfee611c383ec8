import type { ServiceState, ServiceStatus } from '../contract/answers.ts';
import type { Spec } from '../contract/spec.ts';

/** The process tree of a service that is not stopped: enough to prove, later, that a pid is still this process. */
export interface ServiceProcess {
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

/** The replacement of what runs by a release that is under way: written down before anything is touched. */
export interface UnderWay {
  readonly release: number;
  /** What ran before it; null when nothing did. */
  readonly before: { readonly release: number; readonly instance_id: string } | null;
  readonly actor: string;
  /** Whether the release is a new one, which a deployment tries. */
  readonly is_deployment: boolean;
  /** Whether an agent has taken it up after another one died in it: no third one tries. */
  readonly was_resumed: boolean;
}

/** How and why the last process ended. */
export interface LastExit {
  /** As a shell counts: 128 + the signal's number when a signal ended it; null when nobody saw it end. */
  readonly return_code: number | null;
  readonly signal: string | null;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly reason:
    | 'exited'
    | 'out_of_memory'
    | 'stopped'
    | 'start_failed'
    | 'start_lost'
    | 'agent_stopped'
    | 'host_rebooted';
  readonly message: string;
}

/** A service as the registry holds it and the store keeps it. */
export interface Service {
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly created_at: number;
  readonly wanted: 'running' | 'stopped';
  readonly state: ServiceState;
  /** The release that runs, or that the next start takes. */
  readonly current_release: number;
  /** The greatest release number given so far. */
  readonly last_release: number;
  /** How often it was started; the number of its last run. */
  readonly runs: number;
  readonly process: ServiceProcess | null;
  readonly under_way: UnderWay | null;
  readonly last_exit: LastExit | null;
}

/** The pid by which people know a process: the program's. */
export function pidOf({ main_pid, pid }: ServiceProcess): number {
  return main_pid ?? pid;
}

/** The status of a service as every interface shows it. */
export function statusOf(service: Service, current: Spec): ServiceStatus {
  const { process } = service;
  const facts = { release: service.current_release, wanted: service.wanted, restart_required: false };
  if (process !== null) {
    return {
      status: service.state,
      pid: pidOf(process),
      command: current.command,
      start_time: new Date(process.started_at).toISOString(),
      message: sentence(service),
      ...facts,
      restart_required: process.release !== service.current_release,
    };
  }
  const { last_exit: exit } = service;
  return {
    status: service.state,
    command: current.command,
    ...(exit && { return_code: exit.return_code, end_time: new Date(exit.at).toISOString() }),
    ...(exit?.signal && { signal: exit.signal }),
    message: exit?.message ?? sentence(service),
    ...facts,
  };
}

function sentence(service: Service): string {
  if (service.state === 'stopped') return 'Service has not been started yet';
  return `Service is ${service.state}`;
}
