import { closeSync, type FSWatcher, fstatSync, openSync, watch, writeSync } from 'node:fs';
import { errorMessage } from '../lib/errors.ts';
import { makeFolder, openForAppending, type RunFiles } from './run_files.ts';
import { encodeStamp } from './time_index.ts';

interface CaptureEvents {
  /** Something was written, and the files are looked at from now on. */
  readonly onAwake: (capture: RunCapture) => void;
  /** There is more to read. */
  readonly onGrowth: (capture: RunCapture) => void;
  readonly onProblem: (message: string) => void;
}

/** After how many looks without growth the files are only watched again. */
const quietLooks = 5;

/**
 * The output of one run. The process writes into the files itself; here it is only noted when they had which size.
 * While nothing is written the system tells of the first write; from then on they are looked at, until they are quiet again.
 */
export class RunCapture {
  readonly service: string;
  readonly run: number;
  readonly stdout: number;
  readonly stderr: number;
  readonly files: RunFiles;
  readonly #events: CaptureEvents;
  /** Made with the first note: many services never write. */
  #index: number | null = null;
  readonly #own: { readonly stdout: number; readonly stderr: number };
  #sizes = { stdout: 0, stderr: 0 };
  #quiet = 0;
  #watcher: FSWatcher | null = null;
  #released = false;

  constructor(service: string, run: number, files: RunFiles, events: CaptureEvents) {
    this.service = service;
    this.run = run;
    this.files = files;
    this.#events = events;
    makeFolder(files);
    const opened: number[] = [];
    const keep = (descriptor: number): number => {
      opened.push(descriptor);
      return descriptor;
    };
    try {
      this.stdout = keep(openForAppending(files.stdout));
      this.stderr = keep(openForAppending(files.stderr));
      this.#own = { stdout: keep(openSync(files.stdout, 'r')), stderr: keep(openSync(files.stderr, 'r')) };
    } catch (error) {
      for (const descriptor of opened) closeSync(descriptor);
      throw error;
    }
    this.#rest();
  }

  /** Gives up the descriptors that were for the process. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    closeSync(this.stdout);
    closeSync(this.stderr);
  }

  /** How many bytes both streams hold. */
  get size(): number {
    return this.#sizes.stdout + this.#sizes.stderr;
  }

  /** Notes the sizes. False when nothing has been written for a while: the files need not be looked at any more. */
  look(): boolean {
    if (this.#stamp()) {
      this.#quiet = 0;
      this.#events.onGrowth(this);
      return true;
    }
    this.#quiet += 1;
    if (this.#quiet < quietLooks) return true;
    this.#rest();
    // What was written between the last look and the watch would otherwise wait for the next write.
    if (this.#stamp()) this.#wake();
    return this.#watcher === null;
  }

  /** Takes the last note; to be called when the process has ended. */
  close(): void {
    this.#watcher?.close();
    this.#watcher = null;
    this.release();
    if (this.#stamp()) this.#events.onGrowth(this);
    closeSync(this.#own.stdout);
    closeSync(this.#own.stderr);
    if (this.#index !== null) closeSync(this.#index);
  }

  #rest(): void {
    try {
      this.#watcher = watch(this.files.folder, { persistent: false }, () => this.#wake());
      this.#watcher.on('error', () => this.#wake());
    } catch (error) {
      this.#events.onProblem(
        `cannot watch ${this.files.folder}, it is looked at instead: ${errorMessage(error)}`,
      );
      this.#events.onAwake(this);
    }
  }

  #wake(): void {
    if (this.#watcher === null) return;
    this.#watcher.close();
    this.#watcher = null;
    this.#quiet = 0;
    this.#events.onAwake(this);
  }

  #stamp(): boolean {
    const stdout = fstatSync(this.#own.stdout).size;
    const stderr = fstatSync(this.#own.stderr).size;
    if (stdout === this.#sizes.stdout && stderr === this.#sizes.stderr) return false;
    try {
      this.#index ??= openForAppending(this.files.index);
      writeSync(this.#index, encodeStamp({ time: Date.now(), stdout, stderr }));
      this.#sizes = { stdout, stderr };
    } catch (error) {
      this.#events.onProblem(
        `the time of lines of "${this.service}" cannot be noted: ${errorMessage(error)}`,
      );
    }
    return true;
  }
}
