import type { StopReport } from '../contract/processes.ts';
import type { ExitStatus } from '../processes/exit_status.ts';
import type { ProcessTree, Runtime } from '../processes/runtime.ts';
import type { InstanceProcess, LastExit } from '../services/instance.ts';
import { lastExit } from './last_exit.ts';
import type { Capture } from './output.ts';

/** Why and by whom an instance is stopped, and whether it stays so. */
export interface StopOrder {
  readonly reason: Extract<LastExit['reason'], 'stopped' | 'agent_stopped' | 'unhealthy' | 'dependency'>;
  /** Null: nobody, it came about by itself. */
  readonly actor: string | null;
  /** The id of the event that led to it; left out: what happened to the instance before. */
  readonly cause?: number | null;
}

/** A stop that is under way. */
export interface Stopping extends StopOrder {
  readonly report: Promise<StopReport>;
}

/** What let an instance start. */
export type Trigger = 'deploy' | 'manual' | 'restart' | 'schedule';

/** The living process tree of an instance. */
export interface RunningInstance {
  readonly service: string;
  readonly number: number;
  readonly run: number;
  readonly facts: InstanceProcess;
  readonly tree: ProcessTree;
  readonly capture: Capture;
  /** Null: it was taken up. */
  readonly trigger: Trigger | null;
  /** When its schedule asked for it; null: no schedule did. */
  readonly scheduled_for: Date | null;
  /** Whether somebody waits for it to prove itself: it is not started again when it ends before it has. */
  isOnTrial: boolean;
  /** Resolves when the process is gone, its leftovers are swept and its output is closed. */
  readonly ended: Promise<LastExit>;
  /** Ends what watches it: probes, timers. */
  readonly unwatch: AbortController;
  stopping: Stopping | null;
}

/** An instance before it is watched. */
export type FoundInstance = Pick<
  RunningInstance,
  'service' | 'number' | 'run' | 'facts' | 'tree' | 'capture' | 'trigger' | 'scheduled_for' | 'isOnTrial'
>;

/** How long leftovers of a process that ended by itself get to end, in milliseconds. */
export const sweepTimeout = 2_000;

/** How a process ended that nobody stopped. `startedAt` is null when no agent was there to see it. */
export function exitByItself(
  facts: InstanceProcess,
  status: ExitStatus,
  startedAt: number | null,
  { runtime, limit }: { readonly runtime: Runtime; readonly limit: string | null },
): LastExit {
  const pids = [facts.pid, facts.main_pid];
  const whose = status.signal === 'SIGKILL' ? runtime.outOfMemory(facts, pids) : null;
  const exit = lastExit(whose === null ? 'exited' : 'out_of_memory', status, startedAt);
  if (whose !== 'limit' || limit === null) return exit;
  return { ...exit, message: `${exit.message}: its limit of ${limit} was reached` };
}
