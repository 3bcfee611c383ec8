import type { HealthVerdict } from '../contract/health.ts';
import type { Probe } from '../contract/probe.ts';
import { milliseconds } from '../lib/units.ts';
import type { ProbeCheck, ProbeResult } from './attempt.ts';
import { earlyDelay, type ProbeTimes, steadyDelay, timesOf } from './schedule.ts';
import type { Ticks } from './ticks.ts';
import { judge, newStanding, type Standing, type Thresholds } from './verdict.ts';

/** A result, and what is thought of the instance with it. */
export interface JudgedResult extends ProbeResult {
  /** When the probe began, in milliseconds since the epoch. */
  readonly at: number;
  readonly verdict: HealthVerdict;
  /** What was thought before it. */
  readonly previous: HealthVerdict;
}

interface RunnerOptions {
  readonly probe: Probe;
  readonly check: ProbeCheck;
  readonly started_at: number;
  /** When its turns are, within its interval. */
  readonly phase: number;
  readonly ticks: Ticks;
  readonly signal: AbortSignal;
  readonly onResult: (result: JudgedResult) => void;
}

/** How long after its start an instance is new, in milliseconds. Many that are not may come at once: they take turns. */
const newFor = 5_000;
/** What share of the interval must have passed between two failures for both to count. Timers are not exact. */
const almostInterval = 0.9;

/**
 * Makes the probes of one kind of one instance, one after another: often as long as nothing is known, so that one that
 * comes up is found soon, and then each in its turn.
 */
export class ProbeRunner {
  readonly #options: RunnerOptions;
  readonly #times: ProbeTimes;
  readonly #thresholds: Thresholds;
  readonly #began = performance.now();
  readonly #ageAtBegin: number;
  #standing: Standing = newStanding;
  /** When the last probe began whose failure would count. */
  #lastTurn = this.#began;
  #callOff: () => void = () => {};

  constructor(options: RunnerOptions) {
    const { probe, started_at, phase, signal } = options;
    const { healthy_threshold, unhealthy_threshold, start_period } = probe;
    this.#options = options;
    this.#times = timesOf(probe);
    this.#thresholds = {
      healthy_threshold,
      unhealthy_threshold,
      start_period_ms: milliseconds(start_period),
    };
    this.#ageAtBegin = Math.max(0, Date.now() - started_at);
    const { interval_ms, shortest_ms, longest_ms } = this.#times;
    this.#wait(this.#ageAtBegin < newFor ? shortest_ms : (phase / interval_ms) * longest_ms);
    signal.addEventListener('abort', () => this.#callOff(), { once: true });
  }

  #wait(delay: number): void {
    const timer = setTimeout(() => void this.#probe(), delay).unref();
    this.#callOff = () => clearTimeout(timer);
  }

  #awaitTurn(time: number): void {
    const { ticks } = this.#options;
    this.#callOff = ticks.at(time, this.#times.interval_ms, () => void this.#probe());
  }

  async #probe(): Promise<void> {
    const { check, signal, phase, onResult } = this.#options;
    const { interval_ms } = this.#times;
    const began = performance.now();
    const at = Date.now();
    const result = await check(signal);
    if (signal.aborted) return;
    const previous = this.#standing.verdict;
    const is_early = previous === 'unknown' && began - this.#lastTurn < interval_ms * almostInterval;
    if (!is_early) this.#lastTurn = began;
    const age_ms = this.#ageAtBegin + began - this.#began;
    this.#standing = judge(this.#standing, { success: result.success, age_ms, is_early }, this.#thresholds);
    const now = performance.now();
    const { verdict } = this.#standing;
    if (verdict === 'unknown') this.#wait(earlyDelay(now - this.#began, this.#times));
    else this.#awaitTurn(now + steadyDelay(now, began, phase, interval_ms));
    onResult({ ...result, at, verdict, previous });
  }
}
