import { execFile } from 'node:child_process';
import { existsSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { listRuns, type RunFiles, readHead, runFiles } from './run_files.ts';

/** How many runs are kept at most, however little they wrote. */
const keptRuns = 100;
/** The system gives back whole blocks of this size. */
const blockSize = 4_096;
const fallocatePlaces = ['/usr/bin/fallocate', '/bin/fallocate'];

/**
 * Removes the oldest output of a service until no more than `maxBytes` are left: first whole runs that have ended, then
 * the head of what is being written, which the process does not notice: no offset moves. Throws when that cannot be done.
 */
export async function trim(
  directory: string,
  service: string,
  current: number,
  maxBytes: number,
): Promise<void> {
  const runs = listRuns(directory, service).map((run) => {
    const files = runFiles(directory, service, run);
    return { run, files, size: diskUse(files) };
  });
  let total = runs.reduce((sum, { size }) => sum + size, 0);
  let left = runs.length;
  for (const { run, files, size } of runs) {
    if (run === current || (total <= maxBytes && left <= keptRuns)) break;
    for (const file of filesOf(files)) rmSync(file, { force: true });
    total -= size;
    left -= 1;
  }
  const running = runs.find(({ run }) => run === current);
  if (running && total > maxBytes) await punch(running.files, maxBytes);
}

/** Gives back the head of both streams, so that each keeps its share of `maxBytes`. */
async function punch(files: RunFiles, maxBytes: number): Promise<void> {
  const sizes = { stdout: statSync(files.stdout).size, stderr: statSync(files.stderr).size };
  const before = readHead(files);
  const live = { stdout: sizes.stdout - before.stdout, stderr: sizes.stderr - before.stderr };
  const share = maxBytes / (live.stdout + live.stderr);
  const head = (stream: 'stdout' | 'stderr') => {
    const kept = live[stream] * Math.min(1, share);
    return Math.max(before[stream], Math.floor((sizes[stream] - kept) / blockSize) * blockSize);
  };
  const after = { stdout: head('stdout'), stderr: head('stderr') };
  // First it is said that the head is gone, for a reader must never see the hole.
  writeFileSync(`${files.head}.new`, `${after.stdout} ${after.stderr}`, { mode: 0o600 });
  renameSync(`${files.head}.new`, files.head);
  for (const stream of ['stdout', 'stderr'] as const) {
    if (after[stream] > before[stream]) await punchHole(files[stream], after[stream]);
  }
}

async function punchHole(file: string, length: number): Promise<void> {
  const fallocate = fallocatePlaces.find((place) => existsSync(place));
  if (fallocate === undefined)
    throw new Error('fallocate (util-linux) is not installed, so what runs cannot be trimmed');
  await promisify(execFile)(fallocate, ['--punch-hole', '--offset', '0', '--length', String(length), file], {
    env: {},
  });
}

/** What a run holds on the disk, holes not counted. */
function diskUse(files: RunFiles): number {
  const use = (file: string) => (statSync(file, { throwIfNoEntry: false })?.blocks ?? 0) * 512;
  return filesOf(files).reduce((sum, file) => sum + use(file), 0);
}

/** The run is known by its stdout, which therefore goes last. */
function filesOf({ stdout, stderr, index, head }: RunFiles): string[] {
  return [stderr, index, head, stdout];
}
