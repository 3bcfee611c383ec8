import type { AlertEvent, AlertRule, Severity } from '../contract/alerts.ts';
import type { SeriesName } from '../contract/series.ts';
import { matchesGlob } from '../lib/glob.ts';
import { milliseconds } from '../lib/units.ts';
import type { Patience } from './lifecycle.ts';

/** What a rule waits for. */
export type Watched =
  | { readonly kind: 'event'; readonly event: AlertEvent }
  | {
      readonly kind: 'series';
      readonly series: SeriesName;
      readonly side: 'above' | 'below';
      readonly threshold: number;
      /** It is over when the series is back at this value or past it. */
      readonly clear: number;
    };

/** A rule made ready to be looked at: durations in milliseconds. */
export interface WatchedRule extends Patience {
  readonly name: string;
  readonly severity: Severity;
  readonly watched: Watched;
  /** Whether it is about services, each by itself; else about the host or the agent. */
  readonly isOfServices: boolean;
  readonly fits: (service: string) => boolean;
  readonly count: number;
  readonly window_ms: number;
  readonly within_ms: number;
  readonly notify: readonly string[] | null;
  /** null: as the configuration says for all. */
  readonly repeat_ms: number | null;
  readonly summary: string | null;
}

const serviceEvents: ReadonlySet<AlertEvent> = new Set([
  'service_failed',
  'restart_loop',
  'unhealthy',
  'deployment_failed',
  'deployment_rolled_back',
  'log_quota_reached',
]);

/** Whether a rule is about services, each by itself; else it is about the host or the agent. */
export function isOfServices({ event, series }: Pick<AlertRule, 'event' | 'series'>): boolean {
  return event === undefined ? series?.startsWith('service.') === true : serviceEvents.has(event);
}

export function watchedRule(rule: AlertRule): WatchedRule {
  const { services } = rule;
  return {
    name: rule.name,
    severity: rule.severity,
    watched: watchedOf(rule),
    isOfServices: isOfServices(rule),
    fits: services.includes('*') ? () => true : (id) => services.some((glob) => matchesGlob(glob, id)),
    hold_ms: milliseconds(rule.for),
    keep_ms: milliseconds(rule.keep_firing_for),
    count: rule.count,
    window_ms: milliseconds(rule.window),
    within_ms: milliseconds(rule.within),
    notify: rule.notify,
    repeat_ms: rule.repeat === null ? null : milliseconds(rule.repeat),
    summary: rule.summary ?? null,
  };
}

function watchedOf({ event, series, above, below, clear }: AlertRule): Watched {
  if (event !== undefined) return { kind: 'event', event };
  const threshold = above ?? below;
  // The contract lets no other rule pass.
  if (series === undefined || threshold === undefined) throw new TypeError('the rule waits for nothing');
  const side = above === undefined ? 'below' : 'above';
  return { kind: 'series', series, side, threshold, clear: clear ?? threshold };
}
