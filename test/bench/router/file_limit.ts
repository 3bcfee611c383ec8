import { readFileSync } from 'node:fs';

/** How many open files a process may allow itself; far more than are needed count as a million. */
export function fileLimit(): number {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  const most = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1];
  return Math.min(most === 'unlimited' ? Number.POSITIVE_INFINITY : Number(most ?? 1024), 1_000_000);
}
