import { type Measurements, type SeriesName, seriesKey, seriesKinds } from '../../contract/series.ts';
import type { Watched } from '../watched_rule.ts';
import { type Finding, finding } from './finding.ts';

type WatchedSeries = Extract<Watched, { kind: 'series' }>;

/** Whether the value is where the rule does not want it; one that fires must be back past `clear`. No value is where it should be. */
export function isBeyond(
  { side, threshold, clear }: Pick<WatchedSeries, 'side' | 'threshold' | 'clear'>,
  value: number | undefined,
  isFiring: boolean,
): boolean {
  if (value === undefined || Number.isNaN(value)) return false;
  const bound = isFiring ? clear : threshold;
  return side === 'above' ? value > bound : value < bound;
}

/** What a rule finds of a series; `service`: null for the host, the agent and the routers. */
export function seriesFinding(
  watched: WatchedSeries,
  service: string | null,
  measured: Measurements,
  isFiring: boolean,
): Finding | null {
  const value = measured.values.get(seriesKey(watched.series, service));
  if (value === undefined || !isBeyond(watched, value, isFiring)) return null;
  return finding({ summary: seriesSummary(watched, service, value), value, since: null });
}

function seriesSummary(
  { series, side, threshold }: WatchedSeries,
  service: string | null,
  value: number,
): string {
  const of = service === null ? '' : ` of ${service}`;
  return `${series}${of} is ${valueText(series, value)}, ${side} ${valueText(series, threshold)}`;
}

/** A value with its unit, for people. */
export function valueText(series: SeriesName, value: number): string {
  const { unit } = seriesKinds[series];
  switch (unit) {
    case 'ratio':
      return `${rounded(value * 100)} %`;
    case 'bytes':
    case 'bytes/s':
      return `${bytesText(value)}${unit === 'bytes' ? '' : '/s'}`;
    case 'seconds':
      return Math.abs(value) < 1 ? `${rounded(value * 1_000)} ms` : `${rounded(value)} s`;
    case 'cores':
      return `${rounded(value)} cores`;
    case 'count/s':
      return `${rounded(value)}/s`;
    default:
      return String(rounded(value));
  }
}

function bytesText(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  const step = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.abs(bytes) || 1) / 3)));
  return `${rounded(bytes / 1_000 ** step)} ${units[step]}`;
}

/** To three digits that count. */
function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
