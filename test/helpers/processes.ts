import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { TestContext } from 'node:test';
import { type Account, resolveAccount } from '../../src/processes/account.ts';
import type { ControlGroup } from '../../src/processes/control_group.ts';
import { buildEnvironment } from '../../src/processes/environment.ts';
import type { ExitStatus } from '../../src/processes/exit_status.ts';
import {
  commandLine,
  type LaunchedProcess,
  type Program,
  startWrapper,
  type WrapperOptions,
} from '../../src/processes/launch.ts';
import { Lifelines, type WrapperNotes } from '../../src/processes/lifeline.ts';
import { variablesOfWrapper, wrapperScript } from '../../src/processes/wrapper.ts';
import { isRunning, processesWith, until } from './system.ts';

export interface LaunchedTree extends LaunchedProcess {
  readonly instance_id: string;
  /** The program itself, as the first process is its wrapper. */
  readonly pid: number;
  /** What it has written so far, both streams. */
  output(): string;
  /** What its wrapper has written down. */
  notes(): WrapperNotes;
  /** Resolves when it has written this line. */
  wrote(line: string): Promise<void>;
  /** The pids that it has announced as its descendants, once there are so many. */
  children(count: number): Promise<number[]>;
}

export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly account?: Account;
  readonly instance_id?: string;
  readonly control_group?: ControlGroup;
}

/** The command of a program among the fixtures. */
export function fixture(name: string, ...args: string[]): string[] {
  const path = resolve(import.meta.dirname, '../fixtures', name);
  return [name.endsWith('.sh') ? '/bin/sh' : process.execPath, path, ...args];
}

/** A program as davit would start it. */
export function programOf(command: Program['command'], options: ProgramOptions = {}): Program {
  const account = options.account ?? resolveAccount(null, null);
  const marker = { service: 'test', release: 1, instance: 1 };
  const parts = { agentEnvironment: process.env, passed: [], files: [], env: options.env ?? {} };
  const built = buildEnvironment({ ...parts, account, marker, port: null });
  const env = { ...built, DAVIT_INSTANCE_ID: options.instance_id ?? randomUUID() };
  return {
    command,
    cwd: options.cwd ?? '/',
    env,
    account,
    runner: 'direct',
    stop: { signal: 'SIGTERM', timeout_ms: 5_000 },
    limits: { memory_bytes: null, cpu_cores: null, pids: null, open_files: null, enforcement: 'required' },
  };
}

/** Starts the wrapper of a program, which waits until it is let go. */
export async function launchHeld(
  program: Program,
  others: Pick<WrapperOptions, 'stdout' | 'stderr' | 'lifeline'>,
): Promise<LaunchedProcess & { letGo(): Promise<number> }> {
  const { account, cwd, env } = program;
  const wrapperEnvironment = {
    ...variablesOfWrapper(env),
    DAVIT_INSTANCE_ID: env['DAVIT_INSTANCE_ID'] ?? '',
  };
  const held = await startWrapper({ account, cwd, env: wrapperEnvironment, ...others });
  return { ...held, letGo: () => held.letGo(wrapperScript({ ...commandLine(program), env, place: null })) };
}

/** Starts a process tree whose every process is gone when the test has ended. */
export async function launchTree(
  t: TestContext,
  command: Program['command'],
  options: ProgramOptions = {},
): Promise<LaunchedTree> {
  const instance_id = options.instance_id ?? randomUUID();
  const folder = mkdtempSync(join(tmpdir(), 'davit-processes-'));
  const file = join(folder, 'output');
  const descriptor = openSync(file, 'a');
  const output = () => readFileSync(file, 'utf8');
  const announced = () => [...output().matchAll(/^child (\d+)$/gm)].map(([, pid]) => Number(pid));
  const program = programOf(command, { ...options, instance_id });
  const lifelines = new Lifelines(join(folder, 'lifelines'), assert.fail);
  const lifeline = lifelines.open(instance_id);
  const { letGo, ...started } = await launchHeld(program, {
    stdout: descriptor,
    stderr: descriptor,
    lifeline,
  });
  lifeline?.release();
  closeSync(descriptor);
  await options.control_group?.add(started.identity.pid);
  const pid = await letGo();
  t.after(() => {
    const marked = processesWith(`DAVIT_INSTANCE_ID=${instance_id}`);
    killGroup(started.identity.pid);
    for (const pid of [...announced(), ...marked]) if (isRunning(pid)) kill(pid);
    rmSync(folder, { recursive: true });
  });
  return {
    ...started,
    pid,
    instance_id,
    output,
    notes: () => lifelines.notesOf(instance_id),
    wrote: (line) => until(`it writes "${line}"`, () => output().split('\n').includes(line)),
    children: async (count) => {
      await until(`it has announced ${count} children`, () => announced().length >= count);
      return announced();
    },
  };
}

/** The same, once it says that it is ready. */
export async function launchFixture(
  t: TestContext,
  name: string,
  args: readonly string[] = [],
  options: ProgramOptions = {},
): Promise<LaunchedTree> {
  const tree = await launchTree(t, fixture(name, ...args), options);
  await tree.wrote('ready');
  return tree;
}

/** How a process ended, which a test does not wait for longer than ten seconds. */
export async function exitOf({ exited }: LaunchedProcess): Promise<ExitStatus> {
  let status: ExitStatus | undefined;
  void exited.then((end) => {
    status = end;
  });
  await until('the process has ended', () => status !== undefined);
  return status as ExitStatus;
}

/** Kills whoever is left in a process group. */
export function killGroup(pid: number): void {
  kill(-pid);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
