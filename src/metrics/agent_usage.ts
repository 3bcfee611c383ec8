import { monitorEventLoopDelay } from 'node:perf_hooks';
import { openFileCounter } from '../processes/open_files.ts';
import type { AgentUsage } from './tick.ts';

/** How often it is looked whether work has to wait, in milliseconds: each look wakes an agent that has nothing to do. */
const resolution = 100;

/** Measures what the agent itself uses. */
export class AgentMeter {
  readonly #openFiles = openFileCounter();
  readonly #delays = monitorEventLoopDelay({ resolution });

  /** Begins to watch how long work has to wait. */
  begin(): void {
    this.#delays.enable();
  }

  /** What it uses now; how long work had to wait, since the last call. */
  read(): AgentUsage {
    const { user, system } = process.cpuUsage();
    const { rss, heapUsed } = process.memoryUsage();
    const lag = { max: this.#lag(this.#delays.max), p99: this.#lag(this.#delays.percentile(99)) };
    this.#delays.reset();
    return {
      cpu_seconds: (user + system) / 1e6,
      resident_bytes: rss,
      heap_bytes: heapUsed,
      open_files: this.#openFiles('self'),
      event_loop_lag: lag,
    };
  }

  close(): void {
    this.#delays.disable();
  }

  /** What is measured, in nanoseconds, is the time from one look to the next, of which only what is late counts. */
  #lag(nanoseconds: number): number {
    if (this.#delays.count === 0) return 0;
    return Math.max(0, nanoseconds / 1e9 - resolution / 1_000);
  }
}
