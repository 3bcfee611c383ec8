import type { Probe } from '../contract/probe.ts';
import type { Command } from '../contract/spec.ts';

/** How a command ended that was run for a probe. */
export interface CommandEnd {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: string | null;
  readonly timed_out: boolean;
  /** The end of what it wrote. */
  readonly output: string;
}

/** What a process tree uses. */
export interface TreeUsage {
  readonly resident_bytes: number;
  /** What all its processes have used since they were started. */
  readonly cpu_seconds: number;
}

/** An instance whose health is watched. Its probes are as they are to be made: nothing is left to be filled in. */
export interface ProbeTarget {
  readonly service: string;
  readonly instance: number;
  /** When its process was started, in milliseconds since the epoch. */
  readonly started_at: number;
  /** Its own port; null: none. */
  readonly port: number | null;
  /** Null: there is no such probe. */
  readonly readiness: Probe | null;
  readonly liveness: Probe | null;
  /** Runs a command as the service would, and ends it with all it started at the timeout and when `signal` is aborted. */
  readonly runCommand: (command: Command, timeout_ms: number, signal: AbortSignal) => Promise<CommandEnd>;
  /** Null where it is not known. */
  readonly usage: () => Promise<TreeUsage | null>;
  readonly isAlive: () => boolean;
}

/** The part of it that a probe asks for. */
export type ProbedInstance = Pick<ProbeTarget, 'port' | 'runCommand' | 'usage' | 'isAlive'>;
