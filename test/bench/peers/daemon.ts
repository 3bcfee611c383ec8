import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { untilAnswered } from '../http_client.ts';

interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  /** The daemon's own files; its output goes to `daemon.log` there. */
  readonly folder: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Told of the pid at once. */
  readonly onSpawn?: (pid: number) => void;
  /** Throws as long as the daemon does not answer. */
  readonly answered: () => Promise<void>;
}

/** A daemon in a session of its own, so that Ctrl-C reaches only the bench, which then stops it in order. */
export interface Daemon {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Milliseconds from its start until it first answered; looked for every 5 ms. */
  readonly startTime: number;
}

/** The environment of a daemon: what it needs to run, and nothing of the caller's settings. */
export function plainEnvironment(folder: string): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '/', BENCH_FOLDER: folder };
}

export async function launch(options: Launch): Promise<Daemon> {
  const { command, args, folder, environment = {}, onSpawn, answered } = options;
  const log = openSync(join(folder, 'daemon.log'), 'a');
  const began = performance.now();
  const child = spawn(command, args, {
    cwd: folder,
    env: { ...plainEnvironment(folder), ...environment },
    stdio: ['ignore', log, log],
    detached: true,
  });
  closeSync(log);
  if (child.pid !== undefined) onSpawn?.(child.pid);
  await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
  const alive = () => child.exitCode === null && child.signalCode === null;
  try {
    await untilAnswered(answered, alive);
  } catch (cause) {
    throw new Error(`${command} did not answer; its last words:\n${lastWords(folder)}`, { cause });
  }
  return { child, pid: child.pid ?? 0, startTime: performance.now() - began };
}

function lastWords(folder: string): string {
  return readFileSync(join(folder, 'daemon.log'), 'utf8').trimEnd().split('\n').slice(-10).join('\n');
}

/** Asks a daemon to end, and kills it when it has not after ten seconds. */
export async function end({ child }: Daemon, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  const impatience = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await ended;
  clearTimeout(impatience);
}
