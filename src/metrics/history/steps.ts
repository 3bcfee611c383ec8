import { DavitError } from '../../lib/errors.ts';
import { hour, minute, type Resolution, type Retention } from './resolution.ts';

/** What is asked for; times in milliseconds since the epoch. */
export interface AskedSteps {
  readonly from: number;
  readonly to: number;
  /** In milliseconds; null: so that there are at most 300. */
  readonly step: number | null;
}

/** Steps of equal length; the first one begins at `from`, a multiple of it. */
export interface Steps {
  readonly from: number;
  /** Where the last one ends, at the latest: nothing from then on is taken. */
  readonly to: number;
  readonly step: number;
  readonly count: number;
  /** Of what they are made. */
  readonly resolution: Resolution;
}

interface Kept {
  readonly now: number;
  readonly retention: Retention;
  /** Between two measurements, in milliseconds. */
  readonly interval: number;
}

const usualCount = 300;
const niceSteps = [
  ...[1, 2, 5, 10, 15, 20, 30].map((seconds) => seconds * 1_000),
  ...[1, 2, 5, 10, 15, 20, 30].map((minutes) => minutes * minute),
  ...[1, 2, 3, 4, 6, 8, 12, 24, 48, 96, 168].map((hours) => hours * hour),
];

/**
 * Which steps are answered, and of what they are made: of the coarsest values of which each step is a whole number and that
 * reach back far enough, which is exact, for coarse values are made of the fine ones. A step that is finer than what is kept
 * of that time becomes greater. Nor is part of a coarse value taken at the end: `to` goes on to where that ends, or to now.
 */
export function planSteps({ from, to, step }: AskedSteps, { now, retention, interval }: Kept): Steps {
  if (from >= to) throw new DavitError('invalid_request', '`from` must be before `to`');
  const finest = finestOf(now - from, retention);
  const least = Math.max(interval, finest, step ?? (to - from) / usualCount);
  const whole = step === null ? niceStep(least, interval) : wholeStep(least);
  const begin = Math.floor(from / whole) * whole;
  const resolution = coarsestOf(whole, now - from, retention);
  const end = resolution === 0 ? to : Math.ceil(to / resolution) * resolution;
  const count = Math.ceil((to - begin) / whole);
  return { from: begin, to: Math.min(end, Math.max(to, now + 1)), step: whole, count, resolution };
}

/** The finest values that are kept for so long; where none are, those that are kept longest. */
function finestOf(age: number, retention: Retention): Resolution {
  const all = [0, minute, hour] as const;
  return all.find((each) => retention[each] >= age) ?? longestKept(all, retention);
}

function coarsestOf(step: number, age: number, retention: Retention): Resolution {
  const fitting = ([hour, minute, 0] as const).filter((each) => each === 0 || step % each === 0);
  return fitting.find((each) => retention[each] >= age) ?? longestKept(fitting, retention);
}

function longestKept(all: readonly Resolution[], retention: Retention): Resolution {
  return all.reduce((best, each) => (retention[each] > retention[best] ? each : best));
}

/** One that people find on a clock. */
function niceStep(least: number, interval: number): number {
  const found = niceSteps.find((step) => step >= least && (step >= minute || step % interval === 0));
  return found ?? Math.ceil(least / (24 * hour)) * 24 * hour;
}

/** A multiple of the greatest unit that it is not less than, so that no step takes part of a coarser value. */
function wholeStep(least: number): number {
  const unit = [hour, minute, 1_000].find((each) => least >= each) ?? 1_000;
  return Math.ceil(least / unit) * unit;
}
