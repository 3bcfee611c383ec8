import type { ServiceState, ServiceStatus } from '../contract/answers.ts';
import type { Spec } from '../contract/spec.ts';

/** The process of a service that is not stopped: enough to prove, later, that a pid is still this process. */
export interface ServiceProcess {
  readonly pid: number;
  /** Clock ticks from boot to its start, from /proc. */
  readonly start_ticks: string;
  readonly boot_id: string;
  /** Stands in the environment of every process of the tree. */
  readonly instance_id: string;
  readonly release: number;
  /** Milliseconds since the epoch. */
  readonly started_at: number;
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
    | 'stopped'
    | 'start_failed'
    | 'start_lost'
    | 'agent_stopped'
    | 'host_rebooted'
    | 'ended_unwatched';
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
  readonly last_exit: LastExit | null;
}

/** The status of a service as every interface shows it. */
export function statusOf(service: Service, current: Spec): ServiceStatus {
  const { process } = service;
  const facts = { release: service.current_release, wanted: service.wanted, restart_required: false };
  if (process !== null) {
    return {
      status: service.state,
      pid: process.pid,
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
