import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import crossSpawn from 'cross-spawn';
import { DavitError } from '../lib/errors.ts';
import { asAccount } from './account_switch.ts';
import { answersSignals, readIdentity } from './identity.ts';
import { type CommandProgram, commandLine, explainFailure, withOrdinaryOomScore } from './launch.ts';
import { markName, ProcessTable } from './process_table.ts';
import { stopTree } from './stop.ts';

export interface CommandOptions {
  /** It is killed after so many milliseconds. */
  readonly timeout_ms: number;
  /** It is killed when this is aborted. */
  readonly signal?: AbortSignal;
  /**
   * With it, what a command left behind in a session of its own is looked for even when the command ended in time and
   * nobody holds its output. A look at the processes of the host takes some milliseconds, unless many share the table.
   */
  readonly table?: ProcessTable;
  /** What it may read from its standard input. Default: nothing. */
  readonly input?: string;
}

/** How a command ended. */
export interface CommandRun {
  /** Null when a signal ended it, or it is not known. */
  readonly code: number | null;
  readonly signal: string | null;
  /** Whether it was killed because its time was over. */
  readonly timed_out: boolean;
  /** The last 4 KiB that it wrote, both streams. */
  readonly output: string;
  readonly duration_ms: number;
}

type Status = Pick<CommandRun, 'code' | 'signal'>;

/** How much of the output is kept, in bytes. */
const keptOutput = 4_096;
/** How long the rest of the output is waited for when the command has ended, in milliseconds. */
const outputTimeout = 50;
/** How long what it left behind gets to die of SIGKILL, in milliseconds. */
const sweepTimeout = 2_000;

/**
 * Runs a command in a session of its own until it ends, is aborted or its time is over; then whatever it started is
 * killed. Its output goes to sockets, so a script has to write `>&2` in place of `>/dev/stderr`.
 * Throws `spawn_failed` when it cannot be started.
 */
export async function runCommand(program: CommandProgram, options: CommandOptions): Promise<CommandRun> {
  const { timeout_ms, signal = new AbortController().signal, table, input } = options;
  if (signal.aborted) return { code: null, signal: null, timed_out: false, output: '', duration_ms: 0 };
  const began = performance.now();
  const command = await Command.start(program, table ?? new ProcessTable(), input);
  const end = await endOf(command, timeout_ms, signal);
  await command.endAll(end !== 'exited' || table !== undefined);
  const duration_ms = performance.now() - began;
  return { ...command.status, timed_out: end === 'timed_out', output: command.output, duration_ms };
}

/** A command that was started, with all that it starts. */
class Command {
  status: Status = { code: null, signal: null };
  readonly exited: Promise<void>;
  readonly #child: ChildProcess;
  readonly #output: LastBytes;
  readonly #end: () => Promise<unknown>;

  private constructor(child: ChildProcess, pid: number, mark: string, table: ProcessTable) {
    this.#child = child;
    this.#output = new LastBytes(child);
    this.exited = new Promise((resolve) => {
      // On Windows a program that is not found is told of in place of its exit.
      child.once('error', () => resolve());
      child.once('exit', (code, signal) => {
        this.status = { code, signal };
        resolve();
      });
    });
    const identity = readIdentity(pid) ?? { pid, start_ticks: '', boot_id: '' };
    const target = { identity, instance_id: mark, exited: this.exited };
    this.#end = () => stopTree(table, target, { signal: 'SIGKILL', timeout_ms: sweepTimeout });
  }

  static async start(program: CommandProgram, table: ProcessTable, input?: string): Promise<Command> {
    // With the mark of an instance its processes would be taken for those of that, and that for one of its processes.
    const mark = `command-${randomUUID()}`;
    try {
      const child = spawnCommand({ ...program, env: { ...program.env, [markName]: mark } }, input);
      if (child.pid === undefined) throw await new Promise((resolve) => child.once('error', resolve));
      return new Command(child, child.pid, mark, table);
    } catch (error) {
      const { message } = explainFailure(error, program);
      const reason = message.replace(/^the service cannot be started/, 'the command cannot be started');
      throw new DavitError('spawn_failed', reason, { cause: error });
    }
  }

  get output(): string {
    return this.#output.text;
  }

  /**
   * Kills what is left of it, and takes what it wrote until then.
   * @param thorough whether to look for what is neither in its group nor holds its output
   */
  async endAll(thorough: boolean): Promise<void> {
    const { pid = 0 } = this.#child;
    const isLeft = process.platform !== 'win32' && answersSignals(-pid);
    if (thorough || isLeft) await this.#end();
    if (!(await this.#output.isComplete(outputTimeout)) && !thorough && !isLeft) await this.#end();
    this.#output.close();
  }
}

function spawnCommand(program: CommandProgram, input: string | undefined): ChildProcess {
  const { cwd } = program;
  const settings: SpawnOptions = {
    cwd,
    detached: true,
    windowsHide: true,
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  };
  const child = spawnWith(program, settings);
  // It need not read it.
  child.stdin?.on('error', () => {}).end(input);
  return child;
}

function spawnWith({ command, env, account }: CommandProgram, settings: SpawnOptions): ChildProcess {
  if (process.platform === 'win32') {
    if (typeof command === 'string') return spawn(command, { ...settings, env, shell: true });
    const [name = '', ...words] = command;
    return crossSpawn(name, words, { ...settings, env });
  }
  const { file, args, ...others } = asAccount({ ...commandLine({ command }), env }, account);
  return withOrdinaryOomScore(() => spawn(file, args, { ...settings, ...others }));
}

/** What ended it, or is to. */
async function endOf(
  { exited }: Command,
  timeout: number,
  signal: AbortSignal,
): Promise<'exited' | 'timed_out' | 'aborted'> {
  const { promise, resolve } = Promise.withResolvers<'exited' | 'timed_out' | 'aborted'>();
  // Where this process was held up, it first learns whether the command has ended meanwhile.
  const onTimeout = () => setImmediate(() => resolve('timed_out'));
  const timer = setTimeout(onTimeout, timeout);
  const onAbort = () => resolve('aborted');
  signal.addEventListener('abort', onAbort);
  void exited.then(() => resolve('exited'));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

/** The end of what a process writes, both streams in the order in which it is read. */
class LastBytes {
  #bytes: Buffer = Buffer.alloc(0);
  readonly #child: ChildProcess;
  readonly #closed: Promise<true>;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#closed = new Promise((resolve) => child.once('close', () => resolve(true)));
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#bytes = Buffer.concat([this.#bytes, chunk]).subarray(-keptOutput);
      });
      // What cannot be read is not there.
      stream?.on('error', () => {});
    }
  }

  get text(): string {
    // A character may have been cut at the beginning.
    const begin =
      this.#bytes.length < keptOutput ? 0 : this.#bytes.findIndex((byte) => (byte & 0xc0) !== 0x80);
    return this.#bytes.toString('utf8', Math.max(0, begin));
  }

  /** Whether nobody can write any more, for which it waits so many milliseconds at most. */
  async isComplete(timeout: number): Promise<boolean> {
    const { promise: late, resolve } = Promise.withResolvers<false>();
    const timer = setTimeout(() => resolve(false), timeout);
    try {
      return await Promise.race([this.#closed, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
    this.#child.unref();
  }
}
