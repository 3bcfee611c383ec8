import { constants, lstatSync, mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { serviceIdPattern } from '../contract/scalars.ts';
import { DavitError, systemErrorCode } from '../lib/errors.ts';

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

/** The folder of a service. Throws for what is no service id: no path leaves the folder of logs. */
export function serviceFolder(directory: string, service: string): string {
  if (!serviceIdPattern.test(service))
    throw new DavitError('invalid_request', `"${service}" is not a service id`);
  return join(directory, service);
}

export function runFiles(directory: string, service: string, run: number): RunFiles {
  const folder = serviceFolder(directory, service);
  const file = (name: string) => join(folder, `${run}.${name}`);
  return { folder, stdout: file('stdout'), stderr: file('stderr'), index: file('index'), head: file('head') };
}

/** The numbers of the runs whose output is there, oldest first. */
export function listRuns(directory: string, service: string): number[] {
  try {
    return readdirSync(serviceFolder(directory, service))
      .filter((name) => /^\d{1,12}\.stdout$/.test(name))
      .map((name) => Number.parseInt(name, 10))
      .sort((one, other) => one - other);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw error;
  }
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

export function readHead(files: RunFiles): { stdout: number; stderr: number } {
  try {
    const [stdout = 0, stderr = 0] = readFileSync(files.head, 'utf8').split(' ').map(Number);
    return { stdout, stderr };
  } catch {
    return { stdout: 0, stderr: 0 };
  }
}
