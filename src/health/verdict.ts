import type { HealthVerdict } from '../contract/health.ts';

/** What the probes of one kind have said of an instance so far. */
export interface Standing {
  readonly verdict: HealthVerdict;
  /** In a row, up to the last one. */
  readonly successes: number;
  readonly failures: number;
  /** Whether there ever was a success: the start period is over then. */
  readonly has_succeeded: boolean;
}

export interface Thresholds {
  readonly healthy_threshold: number;
  readonly unhealthy_threshold: number;
  readonly start_period_ms: number;
}

/** The outcome of one probe. */
export interface Observation {
  readonly success: boolean;
  /** How long the instance had been there, in milliseconds. */
  readonly age_ms: number;
  /** Whether it was made before its turn, to learn of a success soon: its failure does not count. */
  readonly is_early: boolean;
}

export const newStanding: Standing = { verdict: 'unknown', successes: 0, failures: 0, has_succeeded: false };

/** What is thought of an instance after one more probe. */
export function judge(
  standing: Standing,
  { success, age_ms, is_early }: Observation,
  limits: Thresholds,
): Standing {
  const { verdict, has_succeeded } = standing;
  if (success) {
    const successes = standing.successes + 1;
    const isHealthy = verdict === 'healthy' || successes >= limits.healthy_threshold;
    return { verdict: isHealthy ? 'healthy' : verdict, successes, failures: 0, has_succeeded: true };
  }
  const counts = !is_early && (has_succeeded || age_ms >= limits.start_period_ms);
  const failures = standing.failures + (counts ? 1 : 0);
  const isUnhealthy = verdict === 'unhealthy' || failures >= limits.unhealthy_threshold;
  return { verdict: isUnhealthy ? 'unhealthy' : verdict, successes: 0, failures, has_succeeded };
}
