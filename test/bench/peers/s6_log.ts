import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { killAllOf } from '../processes.ts';
import { plainEnvironment } from './daemon.ts';

const run = promisify(execFile);
const program = '/usr/bin/s6-log';

/** Null when s6-log is there, or could be installed from Debian's package; else why not. */
export async function whyNoS6Log(): Promise<string | null> {
  if (await isThere()) return null;
  if (process.geteuid?.() !== 0) return 's6-log is not installed, and only root can install it';
  try {
    await run('apt-get', ['install', '--yes', '--quiet', 's6'], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
    return (await isThere()) ? null : 'the package s6 has no s6-log';
  } catch (error) {
    return `s6 could not be installed: ${String((error as { stderr?: string }).stderr ?? error)
      .trim()
      .split('\n')
      .at(-1)}`;
  }
}

async function isThere(): Promise<boolean> {
  return run(program, ['-h']).then(
    () => true,
    (error: { code?: string | number }) => error.code !== 'ENOENT',
  );
}

/** A program whose output goes through a pipe to s6-log, which keeps all of it. */
export class S6Log {
  readonly name = 's6-log';
  readonly folder: string;
  readonly #writer: ChildProcess;
  readonly #logger: ChildProcess;

  constructor(folder: string, command: readonly string[]) {
    this.folder = folder;
    const [file = '', ...args] = command;
    const env = plainEnvironment(folder);
    this.#writer = spawn(file, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
    // The largest files that it can be asked for, and more of them than are needed.
    const script = ['n1000', 's268435455', this.#kept];
    const input = this.#writer.stdout ?? 'ignore';
    this.#logger = spawn(program, script, { cwd: folder, env, stdio: [input, 'ignore', 'inherit'] });
    this.#writer.stdout?.destroy();
  }

  get #kept(): string {
    return join(this.folder, 'kept');
  }

  get daemonPid(): number {
    return this.#logger.pid ?? 0;
  }

  outputBytes(): number {
    return readdirSync(this.#kept)
      .filter((name) => name === 'current' || name.startsWith('@'))
      .reduce((sum, name) => sum + statSync(join(this.#kept, name)).size, 0);
  }

  async stop(): Promise<void> {
    this.#writer.kill('SIGKILL');
    this.#logger.kill('SIGKILL');
    await killAllOf(this.folder);
  }
}
