import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync, type Stats, statSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import crossSpawn from 'cross-spawn';
import { DavitError } from '../lib/errors.ts';
import type { Account } from './account.ts';
import { asAccount } from './account_switch.ts';
import { whyTooLong } from './argument_space.ts';
import { type ExitStatus, statusOfShell, unknownExit } from './exit_status.ts';
import { type ProcessIdentity, readIdentity } from './identity.ts';
import type { NewLifeline } from './lifeline.ts';
import { programPaths, whyNotExecutable } from './program_file.ts';
import { systemReason } from './system_reason.ts';
import { wrapperCommand } from './wrapper.ts';

/** What is to be started. */
export interface Program {
  /** A string runs in a shell, a list as it stands. */
  readonly command: string | readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly account: Account;
  readonly limits: ProgramLimits;
  /** Who starts it: the agent itself, or systemd as a transient unit. */
  readonly runner: 'direct' | 'systemd';
  /** How it is asked to end, for a runner that ends it by itself. */
  readonly stop: { readonly signal: NodeJS.Signals; readonly timeout_ms: number };
}

/** A command, where it runs and as whom. */
export type CommandProgram = Pick<Program, 'command' | 'cwd' | 'env' | 'account'>;

/** What the process tree of a program may use at most; null: no limit. */
export interface ProgramLimits {
  readonly memory_bytes: number | null;
  readonly cpu_cores: number | null;
  readonly pids: number | null;
  /** Of each process. */
  readonly open_files: number | null;
  /** Whether a limit that cannot be set keeps the program from being started. */
  readonly enforcement: 'required' | 'best_effort';
}

export interface WrapperOptions {
  readonly account: Account;
  readonly cwd: string;
  /** Variables that it has from the start. */
  readonly env: Readonly<Record<string, string>>;
  /** The descriptors that its output goes to. */
  readonly stdout: number | 'ignore';
  readonly stderr: number | 'ignore';
  /** Null: its pid and its exit code are known only as long as this agent lives. */
  readonly lifeline: NewLifeline | null;
}

/** A process that leads a tree: the wrapper of a program or, where there are no wrappers, the program itself. */
export interface LaunchedProcess {
  readonly identity: ProcessIdentity;
  /** Resolves when the process is gone. Never rejects. */
  readonly exited: Promise<ExitStatus>;
}

/** A process that has been made and waits. When the agent dies before it lets it go, it ends without starting anything. */
export interface HeldProcess extends LaunchedProcess {
  /** Lets it start a program, and resolves with the pid of that, which may have ended by then. */
  letGo(script: string): Promise<number>;
  /** Lets it end without having started anything. */
  abandon(): void;
}

/** How long the system may take to say what another account may do, in milliseconds. */
const accessTimeout = 5_000;

/**
 * Throws `spawn_failed` where it can be known beforehand that the system would refuse to start a program, with the
 * reason that it would give: the directory, the program, the account's right to either, the size of its environment.
 */
export function checkLaunch(program: CommandProgram): void {
  const { cwd, env, account } = program;
  checkDirectory(cwd);
  if (process.platform === 'win32') return;
  const { file, args } = commandLine(program);
  const tooLong = whyTooLong([file, ...args], env);
  if (tooLong !== null) throw failure(`argument list too long: ${tooLong}`);
  const paths = programPaths(file, env['PATH'], cwd);
  const found = account.switch_to === null ? findOwn(cwd, paths) : findAs(account, cwd, paths);
  if (found === null) throw failure(`${whyNotFound(file, paths)}${forWhom(account)}`);
  const reason = whyNotExecutable(found);
  if (reason !== null) throw failure(`${found}: ${reason}`);
}

/**
 * Makes a process, in a session and group of its own, that runs a program once it is let go. Throws `spawn_failed` with
 * the system's reason. The process does not keep the agent from ending.
 */
export async function startWrapper(options: WrapperOptions): Promise<HeldProcess> {
  const { account, cwd, stdout, stderr, lifeline } = options;
  const [shell, ...wrapperArgs] = wrapperCommand;
  const { file, args, ...others } = asAccount({ file: shell, args: wrapperArgs, env: options.env }, account);
  const stdio = ['pipe', stdout, stderr, lifeline?.pipe ?? 'ignore', lifeline?.notes ?? 'ignore'] as const;
  const child = withOrdinaryOomScore(() =>
    spawn(file, args, { cwd, detached: true, ...others, stdio: [...stdio] }),
  );
  const launched = await begun(child);
  // The wrapper may be gone when it is written to.
  child.stdin?.on('error', () => {});
  if (child.stdin instanceof Socket) child.stdin.unref();
  return {
    ...launched,
    letGo: (script) => letGo(child, script, lifeline, launched.exited),
    abandon: () => child.stdin?.destroy(),
  };
}

/** Starts a program on Windows, where there are no wrappers. Throws `spawn_failed`. */
export async function startOnWindows(
  { command, cwd, env }: Program,
  { stdout, stderr }: { readonly stdout: number; readonly stderr: number },
): Promise<LaunchedProcess> {
  const settings: SpawnOptions = {
    cwd,
    env,
    detached: true,
    windowsHide: true,
    stdio: ['ignore', stdout, stderr],
  };
  if (typeof command === 'string') return begun(spawn(command, { ...settings, shell: true }));
  const [file = '', ...args] = command;
  return begun(crossSpawn(file, args, settings));
}

async function begun(child: ChildProcess): Promise<LaunchedProcess> {
  const { promise: exited, resolve: end } = Promise.withResolvers<ExitStatus>();
  const failed = new Promise((resolve) => child.once('error', resolve));
  child.once('exit', (code, signal) =>
    end(code === null ? { return_code: null, signal } : statusOfShell(code)),
  );
  const { pid } = child;
  if (pid === undefined) throw await failed;
  // On Windows a program that is not found is told of in place of its exit.
  void failed.then(() => end(unknownExit));
  child.unref();
  return { identity: readIdentity(pid) ?? { pid, start_ticks: '', boot_id: '' }, exited };
}

async function letGo(
  { pid = 0, stdin }: ChildProcess,
  script: string,
  lifeline: NewLifeline | null,
  exited: Promise<unknown>,
): Promise<number> {
  stdin?.end(script);
  const told = lifeline && (await Promise.race([lifeline.told, exited.then(() => lifeline.told)]));
  return told ?? pid;
}

const oomScoreFile = '/proc/self/oom_score_adj';

/**
 * Starts something that does not inherit that the kernel is told to spare the agent when memory runs out: the agent has
 * the ordinary score for the moment of the start, and its own again after it.
 */
export function withOrdinaryOomScore<T>(begin: () => T): T {
  const own = readOomScore();
  if (own === '0') return begin();
  try {
    writeFileSync(oomScoreFile, '0');
    return begin();
  } finally {
    writeFileSync(oomScoreFile, own);
  }
}

/** '0' also where the host has no such thing, or the agent could not get its own back. */
function readOomScore(): string {
  try {
    const score = readFileSync(oomScoreFile, 'latin1').trim();
    return Number(score) < 0 && process.geteuid?.() === 0 ? score : '0';
  } catch {
    return '0';
  }
}

/** A string runs in a shell. */
export function commandLine({ command }: Pick<Program, 'command'>): {
  file: string;
  args: readonly string[];
} {
  if (typeof command === 'string') return { file: '/bin/sh', args: ['-c', command] };
  const [file = '', ...args] = command;
  return { file, args };
}

/** Why a program could not be started. The system's answer does not tell a missing directory from a missing program. */
export function explainFailure(error: unknown, program: CommandProgram): DavitError {
  if (error instanceof DavitError) return error;
  try {
    checkLaunch(program);
  } catch (cause) {
    if (cause instanceof DavitError) return cause;
  }
  return failure(`${commandLine(program).file}: ${systemReason(error)}`, error);
}

function checkDirectory(cwd: string): void {
  const directory = statOf(cwd);
  if (directory instanceof Error) throw failure(`its working directory ${cwd}: ${systemReason(directory)}`);
  if (!directory.isDirectory()) throw failure(`its working directory ${cwd}: not a directory`);
}

/** The first of the files that this agent's account may execute. Throws where it may not enter the directory. */
function findOwn(cwd: string, paths: readonly string[]): string | null {
  if (!mayExecute(cwd)) throw failure(`its working directory ${cwd}: permission denied`);
  return paths.find((path) => isFile(path) && mayExecute(path)) ?? null;
}

const accessScript = `cd -- "$1" || exit 1
shift
for file; do
  if [ -f "$file" ] && [ -x "$file" ]; then printf %s "$file"; exit; fi
done`;

/** The same for another account. Only the system knows all that decides it, such as access control lists. */
function findAs(account: Account, cwd: string, paths: readonly string[]): string | null {
  const question = { file: '/bin/sh', args: ['-c', accessScript, 'sh', cwd, ...paths], env: {} };
  const { file, args, ...others } = asAccount(question, account);
  const { error, status, stdout } = spawnSync(file, args, {
    ...others,
    cwd: '/',
    stdio: ['ignore', 'pipe', 'ignore'],
    encoding: 'utf8',
    timeout: accessTimeout,
    killSignal: 'SIGKILL',
  });
  if (error !== undefined)
    throw failure(`cannot run anything${forWhom(account)}: ${systemReason(error)}`, error);
  if (status !== 0) throw failure(`its working directory ${cwd}: permission denied${forWhom(account)}`);
  return stdout === '' ? null : stdout;
}

/** Why none of the paths is a program that may be executed. */
function whyNotFound(name: string, paths: readonly string[]): string {
  const there = paths.find((path) => !(statOf(path) instanceof Error));
  if (there !== undefined) return `${there}: ${isFile(there) ? 'permission denied' : 'is not a file'}`;
  return name.includes('/') ? `${paths[0]}: no such file or directory` : `${name}: no such file in PATH`;
}

function forWhom({ switch_to, name }: Account): string {
  return switch_to === null ? '' : ` for user ${name ?? switch_to.uid}`;
}

function failure(reason: string, cause?: unknown): DavitError {
  return new DavitError('spawn_failed', `the service cannot be started: ${reason}`, { cause });
}

function statOf(path: string): Stats | Error {
  try {
    return statSync(path);
  } catch (error) {
    return error as Error;
  }
}

function isFile(path: string): boolean {
  const stat = statOf(path);
  return !(stat instanceof Error) && stat.isFile();
}

function mayExecute(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
