import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { DavitError, errorMessage, systemErrorCode } from '../lib/errors.ts';
import type { Account } from './account.ts';
import { standardDirectories } from './standard_path.ts';
import { systemReason } from './system_reason.ts';

type Variables = Readonly<Record<string, string>>;

export interface EnvironmentParts {
  readonly agentEnvironment: NodeJS.ProcessEnv;
  /** Names of further variables of the agent that are passed on. */
  readonly passed: readonly string[];
  /** The contents of environment files; later ones win. */
  readonly files: readonly Variables[];
  /** Wins over all the others. */
  readonly env: Variables;
  readonly account: Account;
  /** By what the processes of the tree are known; nobody can set these otherwise. */
  readonly marker: { readonly service: string; readonly release: number; readonly instance: number };
  /** Given as `PORT`; null: none. */
  readonly port: number | null;
}

/** What of the agent's environment is harmless, and expected by programs. Everything else stays with the agent. */
const passedAlways = /^(PATH|LANG|LANGUAGE|LC_[A-Z]+|TZ)$/;
const passedOnWindows = /^(Path|SystemRoot|SystemDrive|ComSpec|PATHEXT|TEMP|TMP|USERPROFILE|windir)$/i;
/** The largest environment file, in bytes. */
const largestFile = 1_000_000;

/** The environment of a process, but for the mark of its instance. */
export function buildEnvironment(parts: EnvironmentParts): Record<string, string> {
  const { files, env, account, marker, port } = parts;
  const environment: Record<string, string> = {
    ...fromAgent(parts),
    ...(account.home !== null && { HOME: account.home }),
    ...(account.name !== null && { USER: account.name, LOGNAME: account.name }),
    ...(account.shell !== null && { SHELL: account.shell }),
    ...(port !== null && { PORT: String(port) }),
    ...Object.assign({}, ...files),
    ...env,
    DAVIT_SERVICE: marker.service,
    DAVIT_RELEASE: String(marker.release),
    DAVIT_INSTANCE: String(marker.instance),
  };
  if (process.platform !== 'win32') environment['PATH'] = withStandardDirectories(environment['PATH'] ?? '');
  return environment;
}

/** Reads a file of KEY=value lines, as Node reads .env files. Throws `spawn_failed` when it cannot be read, or is none. */
export function readEnvironmentFile(file: string): Variables {
  try {
    const text = readText(file);
    if (text.includes('\0')) throw new Error('it holds a NUL character');
    return parseEnv(text.replace(/^\uFEFF/, '')) as Variables;
  } catch (error) {
    const reason = systemErrorCode(error) === '' ? errorMessage(error) : systemReason(error);
    throw new DavitError('spawn_failed', `the environment file ${file} cannot be read: ${reason}`, {
      cause: error,
    });
  }
}

/** A device or pipe at this path must not keep the agent waiting, nor fill its memory. */
function readText(file: string): string {
  const descriptor = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    if (!fstatSync(descriptor).isFile()) throw new Error('it is not a regular file');
    const buffer = Buffer.allocUnsafe(largestFile + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < buffer.length; length += read)
      read = readSync(descriptor, buffer, length, buffer.length - length, null);
    if (length > largestFile) throw new Error(`it is larger than ${largestFile} bytes`);
    return buffer.toString('utf8', 0, length);
  } finally {
    closeSync(descriptor);
  }
}

function fromAgent({ agentEnvironment, passed }: EnvironmentParts): Record<string, string> {
  const wanted = (name: string) =>
    passedAlways.test(name) ||
    (passed.includes(name) && !/^DAVIT_/i.test(name)) ||
    (process.platform === 'win32' && passedOnWindows.test(name));
  const entries = Object.entries(agentEnvironment).filter(([name]) => wanted(name));
  return Object.fromEntries(entries) as Record<string, string>;
}

function withStandardDirectories(path: string): string {
  const directories = path.split(':').filter((directory) => directory !== '');
  return [
    ...directories,
    ...standardDirectories.filter((directory) => !directories.includes(directory)),
  ].join(':');
}
