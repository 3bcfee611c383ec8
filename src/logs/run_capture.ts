import { closeSync, type FSWatcher, fstatSync, watch } from 'node:fs';
import { errorMessage } from '../lib/errors.ts';
import { IndexWriter } from './index_writer.ts';
import type { Run } from './run.ts';
import { makeFolder, type Offsets, openForAppending } from './run_files.ts';

interface CaptureEvents {
  /** Something was written, and the files are looked at from now on. */
  readonly onAwake: (capture: RunCapture) => void;
  /** The streams have grown, from one size to the other, since the capture began. */
  readonly onGrown: (run: Run, from: Offsets, to: Offsets) => void;
  readonly onProblem: (message: string) => void;
}

/** After how many looks without growth the files are only watched again. */
const quietLooks = 5;

/**
 * The output of one run. The process writes into the files itself; here it is only noted when they had which size. They are
 * looked at until they are quiet; then the system tells of the next write.
 */
export class RunCapture {
  readonly service: string;
  readonly run: Run;
  readonly stdout: number;
  readonly stderr: number;
  readonly #events: CaptureEvents;
  readonly #index: IndexWriter;
  /** What has been noted. */
  #noted: Offsets = { stdout: 0, stderr: 0 };
  #quiet = 0;
  #watchers: FSWatcher[] = [];
  #isClosed = false;
  #isIndexFailing = false;
  /** Whether somebody else removed the files under the process that writes to them. */
  #isUnlinked = false;

  constructor(service: string, run: Run, events: CaptureEvents) {
    this.service = service;
    this.run = run;
    this.#events = events;
    const { files } = run;
    makeFolder(files);
    const opened: number[] = [];
    const keep = (descriptor: number): number => {
      opened.push(descriptor);
      return descriptor;
    };
    try {
      this.stdout = keep(openForAppending(files.stdout));
      this.stderr = keep(openForAppending(files.stderr));
    } catch (error) {
      for (const descriptor of opened) closeSync(descriptor);
      throw error;
    }
    this.#index = new IndexWriter(files.index);
    // What an earlier agent captured is not written now. The first note says when the run began.
    run.sizes = this.#sizes();
    this.#note(run.sizes);
  }

  /** Notes the sizes. Whether something was written, and whether the files have to be looked at again. */
  look(): { readonly hasGrown: boolean; readonly isAwake: boolean } {
    const hasGrown = this.#stamp();
    if (this.#isUnlinked) return { hasGrown, isAwake: false };
    this.#quiet = hasGrown ? 0 : this.#quiet + 1;
    if (this.#quiet < quietLooks) return { hasGrown, isAwake: true };
    this.#rest();
    // What was written between the last look and the watch would otherwise wait for the next write.
    if (this.#stamp()) {
      this.#unwatch();
      this.#quiet = 0;
      return { hasGrown: true, isAwake: true };
    }
    return { hasGrown, isAwake: this.#watchers.length === 0 };
  }

  /** Takes the last note; to be called when the process has ended, or the agent does. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unwatch();
    this.#stamp();
    closeSync(this.stdout);
    closeSync(this.stderr);
    this.#index.close();
  }

  #rest(): void {
    const { stdout, stderr, folder } = this.run.files;
    try {
      for (const file of [stdout, stderr]) {
        const watcher = watch(file, { persistent: false }, () => this.#wake());
        this.#watchers.push(watcher);
        watcher.on('error', () => this.#wake());
      }
    } catch (error) {
      this.#unwatch();
      this.#events.onProblem(`cannot watch ${folder}, it is looked at instead: ${errorMessage(error)}`);
      this.#events.onAwake(this);
    }
  }

  #unwatch(): void {
    for (const watcher of this.#watchers) watcher.close();
    this.#watchers = [];
  }

  #wake(): void {
    if (this.#watchers.length === 0) return;
    this.#unwatch();
    this.#quiet = 0;
    this.#events.onAwake(this);
  }

  /** Whether anything was written since the last note. */
  #stamp(): boolean {
    const sizes = this.#sizes();
    const isSame = sizes.stdout === this.#noted.stdout && sizes.stderr === this.#noted.stderr;
    if (!isSame) this.#note(sizes);
    return !isSame;
  }

  #note(sizes: Offsets): void {
    const { run } = this;
    try {
      this.#index.note(sizes);
      this.#noted = sizes;
      if (this.#isIndexFailing)
        this.#events.onProblem(`the time of lines of "${this.service}" is noted again`);
      this.#isIndexFailing = false;
    } catch (error) {
      if (!this.#isIndexFailing)
        this.#events.onProblem(
          `the time of lines of "${this.service}" cannot be noted, it is tried again: ${errorMessage(error)}`,
        );
      this.#isIndexFailing = true;
    }
    const before = run.sizes;
    run.sizes = sizes;
    if (sizes.stdout !== before.stdout || sizes.stderr !== before.stderr)
      this.#events.onGrown(run, before, sizes);
    const left = sizes.stdout - run.head.stdout + (sizes.stderr - run.head.stderr);
    run.bytes = Math.max(0, left) + this.#index.size;
  }

  #sizes(): Offsets {
    const [stdout, stderr] = [fstatSync(this.stdout), fstatSync(this.stderr)];
    if ((stdout.nlink === 0 || stderr.nlink === 0) && !this.#isUnlinked) {
      this.#isUnlinked = true;
      this.#events.onProblem(
        `the log of "${this.service}" was removed by somebody else; what it writes is lost until it is started again`,
      );
    }
    return { stdout: stdout.size, stderr: stderr.size };
  }
}
