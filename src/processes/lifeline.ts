import { execFile, execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { errorMessage, systemErrorCode } from '../lib/errors.ts';
import { type ExitStatus, statusOfShell, unknownExit } from './exit_status.ts';

/** How many are kept ready, and how few make more. mkfifo(1) is a process of its own, so it makes many at once. */
const readyPipes = 64;
const fewPipes = 16;
const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;

/** A named pipe whose other end only one process holds: while that lives, and until it ends, this end knows. */
export interface Lifeline {
  /** Resolves with the pid of a wrapper that somebody else started, once it has what it needs; 0 when it has not got it. */
  readonly leader: Promise<number>;
  /** Resolves with the pid that was told through it; null when the other end is gone without a word. */
  readonly told: Promise<number | null>;
  /** Resolves when nobody holds the other end any more; this end is closed then, too. */
  readonly ended: Promise<void>;
}

/** A lifeline with the descriptors that its process gets. */
export interface NewLifeline extends Lifeline {
  /** The other end, as the wrapper gets it. */
  readonly pipe: number;
  /** Where the wrapper writes what it started, and how that ended. */
  readonly notes: number;
  /** Gives up the agent's own copies of both, once the process has its. */
  release(): void;
}

/** What a wrapper wrote down; its program has been started if there is a pid. */
export interface WrapperNotes {
  readonly pid: number | null;
  /** How the program ended, or will have ended if the wrapper is gone: SIGKILL is all that keeps it from a word about it. */
  readonly exit: ExitStatus;
}

/**
 * The lifelines of instances, in a folder: `<instance>.lifeline` is the pipe, `<instance>.notes` what the wrapper
 * writes down. Both outlive the agent.
 */
export class Lifelines {
  readonly #directory: string;
  readonly #onProblem: (message: string) => void;
  readonly #ready: string[] = [];
  #made = 0;
  #making = false;

  constructor(directory: string, onProblem: (message: string) => void) {
    this.#directory = directory;
    this.#onProblem = onProblem;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(directory)) if (name.startsWith('ready.')) rmSync(this.#file(name));
  }

  /** Makes the lifeline of a new instance; null where that cannot be done, which is told. */
  open(instance: string): NewLifeline | null {
    const opened: number[] = [];
    try {
      const { pipe, notes } = this.filesOf(instance);
      renameSync(this.#takeReady(), pipe);
      // Opened for both, it waits for nobody, and whoever writes into it is never told that nobody reads.
      const writer = keep(openSync(pipe, O_RDWR | O_NOFOLLOW), opened);
      const reader = keep(openSync(pipe, O_RDONLY | O_NONBLOCK | O_NOFOLLOW), opened);
      const notesFile = keep(openSync(notes, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600), opened);
      let isReleased = false;
      const release = () => {
        if (isReleased) return;
        isReleased = true;
        closeSync(writer);
        closeSync(notesFile);
      };
      return { ...listen(reader), pipe: writer, notes: notesFile, release };
    } catch (error) {
      for (const descriptor of opened) closeSync(descriptor);
      this.#onProblem(`the end of an instance will be noticed late: ${errorMessage(error)}`);
      return null;
    }
  }

  /**
   * Makes the pipe through which a wrapper gets its script that is no child of the agent. To be called once somebody
   * reads it, or to give it up: what this returns, which removes the pipe from its folder and gives the end to write
   * into. Whoever reads it learns that this end is closed, or that the agent is dead.
   */
  openScript(instance: string): () => Socket {
    const path = this.filesOf(instance).script;
    renameSync(this.#takeReady(), path);
    // As long as this is open, the wrapper does not take it for the death of the agent that nobody writes yet.
    const holder = openSync(path, O_RDWR | O_NOFOLLOW);
    return () => {
      // What is opened only to be written into tells when nobody reads any more.
      const writer = openSync(path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW);
      closeSync(holder);
      rmSync(path, { force: true });
      return new Socket({ fd: writer, readable: false, writable: true }).unref();
    };
  }

  /** Takes up the lifeline of an instance that an earlier agent started; null when it is gone, or nobody holds it. */
  adopt(instance: string): Lifeline | null {
    let reader: number | undefined;
    try {
      reader = openSync(this.filesOf(instance).pipe, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
      const told = readPipe(reader);
      if (told !== null) return listen(reader, told);
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') this.#onProblem(`a lifeline is lost: ${errorMessage(error)}`);
    }
    if (reader !== undefined) closeSync(reader);
    return null;
  }

  /** What the wrapper of an instance has written down. */
  notesOf(instance: string): WrapperNotes {
    try {
      return readNotes(readFileSync(this.filesOf(instance).notes, 'latin1'));
    } catch {
      return { pid: null, exit: unknownExit };
    }
  }

  /** Forgets an instance that is gone. */
  remove(instance: string): void {
    for (const file of Object.values(this.filesOf(instance))) rmSync(file, { force: true });
  }

  /** Removes what is left of all instances but these. */
  keepOnly(instances: ReadonlySet<string>): void {
    for (const name of readdirSync(this.#directory)) {
      const [, instance] = /^(.+)\.(?:lifeline|notes|script|head)$/.exec(name) ?? [];
      if (instance !== undefined && !instances.has(instance)) this.remove(instance);
    }
  }

  /** Makes pipes, so that the first starts find some. */
  prepare(): void {
    if (this.#making || this.#ready.length >= fewPipes) return;
    this.#making = true;
    const names = this.#newNames(readyPipes);
    execFile('mkfifo', ['-m', '600', ...names], { timeout: 10_000 }, (error) => {
      this.#making = false;
      if (error === null) this.#ready.push(...names);
    }).unref();
  }

  #takeReady(): string {
    const ready = this.#ready.pop();
    this.prepare();
    if (ready !== undefined) return ready;
    const [name = '', ...others] = this.#newNames(readyPipes);
    execFileSync('mkfifo', ['-m', '600', name, ...others], {
      timeout: 10_000,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#ready.push(...others);
    return name;
  }

  #newNames(count: number): string[] {
    return Array.from({ length: count }, () => this.#file(`ready.${process.pid}.${++this.#made}`));
  }

  /** The files of an instance. The last two are those of a wrapper that is no child of the agent, until it has begun. */
  filesOf(instance: string): Record<'pipe' | 'notes' | 'script' | 'head', string> {
    return {
      pipe: this.#file(`${instance}.lifeline`),
      notes: this.#file(`${instance}.notes`),
      script: this.#file(`${instance}.script`),
      head: this.#file(`${instance}.head`),
    };
  }

  #file(name: string): string {
    return join(this.#directory, name);
  }
}

function keep(descriptor: number, opened: number[]): number {
  opened.push(descriptor);
  return descriptor;
}

/** What is in a pipe; null when it is empty and nobody holds its other end. */
function readPipe(reader: number): string | null {
  const buffer = Buffer.alloc(64);
  try {
    const length = readSync(reader, buffer);
    return length === 0 ? null : buffer.toString('latin1', 0, length);
  } catch (error) {
    if (systemErrorCode(error) === 'EAGAIN') return '';
    throw error;
  }
}

function listen(reader: number, before = ''): Lifeline {
  const leader = Promise.withResolvers<number>();
  const told = Promise.withResolvers<number | null>();
  const ended = Promise.withResolvers<void>();
  let text = before;
  const take = () => {
    const [, wrapper, pid] = /^(?:wrapper (\d+)\n)?(?:(\d+)\n)?/.exec(text) ?? [];
    if (wrapper !== undefined) leader.resolve(Number(wrapper));
    if (pid !== undefined) told.resolve(Number(pid));
  };
  take();
  const socket = new Socket({ fd: reader, readable: true, writable: false }).unref();
  socket.on('data', (data: Buffer) => {
    if (text.length < 64) text += data.toString('latin1');
    take();
  });
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    leader.resolve(0);
    told.resolve(null);
    ended.resolve();
  });
  return { leader: leader.promise, told: told.promise, ended: ended.promise };
}

function readNotes(text: string): WrapperNotes {
  const [, pid, code] = /^started (\d*)\n(?:(\d{1,3})\n)?$/.exec(text) ?? [];
  if (pid === undefined) return { pid: null, exit: unknownExit };
  const exit = code === undefined ? { return_code: null, signal: 'SIGKILL' } : statusOfShell(Number(code));
  return { pid: Number(pid), exit };
}
