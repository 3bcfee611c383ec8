import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { inMilliseconds } from './report.ts';
import { median } from './statistics.ts';

/** Milliseconds above which creating a file says more about the disk than about a daemon. */
const slowCreation = 0.1;

/**
 * What the disk under a folder costs: every daemon creates files for each service, and davit syncs each release.
 * a slow disk is a share of every figure.
 */
export function describeDisk(folder: string): string {
  const created: number[] = [];
  const synced: number[] = [];
  for (let count = 0; count < 20; count += 1) {
    const file = join(folder, `file-${count}`);
    let descriptor = -1;
    created.push(timed(() => (descriptor = openSync(file, 'wx'))));
    writeSync(descriptor, 'x'.repeat(4096));
    synced.push(timed(() => fsyncSync(descriptor)));
    closeSync(descriptor);
  }
  const creation = median(created);
  const facts = `disk: a file created in ${inMilliseconds(creation)}, 4 KiB synced in ${inMilliseconds(median(synced))}`;
  if (creation < slowCreation) return facts;
  return `${facts}\nThis is a slow disk, or one whose files were deleted in great number a short while ago: see docs/benchmarks.md.`;
}

function timed(work: () => void): number {
  const began = performance.now();
  work();
  return performance.now() - began;
}
