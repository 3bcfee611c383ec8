import { constants, lstatSync, mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { serviceIdPattern } from '../contract/scalars.ts';
import { DavitError, systemErrorCode } from '../lib/errors.ts';

export type StreamName = 'stdout' | 'stderr';
export const streamNames = ['stdout', 'stderr'] as const;

/** A place in both streams of a run, in bytes from their beginning, whatever of it has been removed since. */
export type Offsets = Readonly<Record<StreamName, number>>;

/** What a run is known by. */
export interface RunName {
  /** Counts the starts of a service; no two runs of it have the same. */
  readonly run: number;
  readonly release: number;
  readonly instance: number;
}

/** Where the output of one run of a service lies. */
export interface RunFiles {
  /** The folder of the service, which holds the files of all its runs. */
  readonly folder: string;
  readonly stdout: string;
  readonly stderr: string;
  /** When the streams had which size. */
  readonly index: string;
  /** How many bytes at the head of each stream were given back to the disk. */
  readonly head: string;
}

const namePattern = /^(\d{1,12})\.r(\d{1,12})\.i(\d{1,6})\.(stdout|stderr|index|head)(?:\.zst)?$/;

/** The folder of a service. Throws for what is no service id: no path leaves the folder of logs. */
export function serviceFolder(directory: string, service: string): string {
  if (!serviceIdPattern.test(service))
    throw new DavitError('invalid_request', `"${service}" is not a service id`);
  return join(directory, service);
}

export function runFiles(directory: string, service: string, { run, release, instance }: RunName): RunFiles {
  const folder = serviceFolder(directory, service);
  const file = (name: string) => join(folder, `${run}.r${release}.i${instance}.${name}`);
  return { folder, stdout: file('stdout'), stderr: file('stderr'), index: file('index'), head: file('head') };
}

/** Where a stream lies once it is compressed. */
export function compressedName(file: string): string {
  return `${file}.zst`;
}

/** Every file that a run may have. A run is known by any of them that is left, so that none stays behind. */
export function filesOf({ stdout, stderr, index, head }: RunFiles): string[] {
  const parts = [`${head}.new`, head, index];
  return [stdout, stderr]
    .flatMap((file) => [`${compressedName(file)}.new`, compressedName(file), file])
    .concat(parts);
}

/** The runs of which anything is there, oldest first. */
export function listRuns(directory: string, service: string): RunName[] {
  const found = new Map<number, RunName>();
  for (const name of namesIn(serviceFolder(directory, service))) {
    const [, run, release, instance] = namePattern.exec(name) ?? [];
    if (run !== undefined)
      found.set(Number(run), { run: Number(run), release: Number(release), instance: Number(instance) });
  }
  return [...found.values()].sort((one, other) => one.run - other.run);
}

/** The services of which any output may be there. */
export function listServices(directory: string): string[] {
  return namesIn(directory).filter((name) => serviceIdPattern.test(name));
}

/** Makes the folder of a service. A link in its place is refused. */
export function makeFolder({ folder }: RunFiles): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (!lstatSync(folder).isDirectory())
    throw new DavitError('storage_unavailable', `${folder} is not a folder`);
}

/** Opens a file of a run for appending: many writers never overwrite each other, and a link is not followed. */
export function openForAppending(file: string): number {
  const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = constants;
  return openSync(file, O_WRONLY | O_APPEND | O_CREAT | (O_NOFOLLOW ?? 0), 0o600);
}

/** How much of each stream was given back; nothing, where nobody says so. */
export function readHead(files: RunFiles): Offsets {
  try {
    const [stdout = 0, stderr = 0] = readFileSync(files.head, 'utf8').split(' ').map(Number);
    return { stdout: stdout || 0, stderr: stderr || 0 };
  } catch {
    return { stdout: 0, stderr: 0 };
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error))) return [];
    throw error;
  }
}
