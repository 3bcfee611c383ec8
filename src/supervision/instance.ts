import type { StopReport } from '../contract/answers.ts';
import type { ExitStatus } from '../processes/exit_status.ts';
import type { ProcessTree, Runtime } from '../processes/runtime.ts';
import type { LastExit, Service, ServiceProcess } from '../services/service.ts';
import type { Capture } from './output.ts';

/** Why and by whom something is stopped. */
export interface StopOrder {
  readonly reason: 'stopped' | 'agent_stopped';
  readonly actor: string;
}

/** A stop that is under way. */
export interface Stopping extends StopOrder {
  readonly report: Promise<StopReport>;
}

/** The living process tree of a service. */
export interface Instance {
  readonly service: string;
  readonly run: number;
  readonly facts: ServiceProcess;
  readonly tree: ProcessTree;
  readonly capture: Capture;
  /** Resolves when the process is gone, its leftovers are swept and its output is closed. */
  readonly ended: Promise<LastExit>;
  stopping: Stopping | null;
}

/** An instance before it is watched. */
export type FoundInstance = Omit<Instance, 'ended' | 'stopping'>;

/** How long leftovers of a process that ended by itself get to end, in milliseconds. */
export const sweepTimeout = 2_000;

/** Why the process of a service ended that nobody stopped. */
export function endReason(
  { state }: Service,
  facts: ServiceProcess,
  { signal }: ExitStatus,
  runtime: Runtime,
): LastExit['reason'] {
  if (state === 'starting') return 'start_failed';
  const forMemory = signal === 'SIGKILL' && runtime.wasKilledForMemory(facts, [facts.pid, facts.main_pid]);
  return forMemory ? 'out_of_memory' : 'exited';
}

/** Whether an instance is still there `duration` milliseconds after its start. */
export async function staysUp({ facts, tree }: Instance, duration: number): Promise<boolean> {
  const left = duration - (Date.now() - facts.started_at);
  if (duration === 0) return true;
  const { promise: survived, resolve } = Promise.withResolvers<boolean>();
  // A clock that was set back must not make it wait for longer than it was told.
  const timer = setTimeout(() => resolve(true), Math.min(left, duration));
  try {
    return await Promise.race([survived, tree.exited.then(() => false)]);
  } finally {
    clearTimeout(timer);
  }
}
