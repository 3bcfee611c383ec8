import type { Measurements } from '../../contract/series.ts';
import { finding, type Look, nothing } from './finding.ts';

/** Less than this part, or this many bytes where that is less, is little. */
const leastPart = 0.1;
const leastBytes = 2e9;
/** It is over when so many times as much is free, so that it does not come and go. */
const slack = 1.1;

/** Whether the disk of the data directory is nearly full; null: it was not measured. */
export function diskSpace(measured: Measurements | null, isKnown: boolean): Look | null {
  const free = measured?.values.get('host.disk_free');
  const used = measured?.values.get('host.disk');
  if (free === undefined || used === undefined) return measured === null ? null : nothing;
  const total = used < 1 ? free / (1 - used) : Number.POSITIVE_INFINITY;
  const least = Math.min(total * leastPart, leastBytes);
  if (free >= least * (isKnown ? slack : 1)) return nothing;
  const summary = `the disk of the data directory is nearly full: ${gigabytes(free)} are free, ${Math.round(used * 100)} % is used`;
  return { findings: [finding({ summary, value: free })], again_at: null };
}

function gigabytes(bytes: number): string {
  return bytes < 1e9 ? `${Math.round(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
