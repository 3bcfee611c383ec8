import { EventEmitter, once } from 'node:events';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { devNull } from 'node:os';
import type { LogLine } from '../contract/answers.ts';
import type { LogLevel } from '../contract/scalars.ts';
import { errorMessage, systemErrorCode } from '../lib/errors.ts';
import { type Cursor, formatCursor } from './cursor.ts';
import { levelOf } from './level.ts';
import { type LineFilter, lineFilter } from './line_filter.ts';
import { trim } from './retention.ts';
import { RunCapture } from './run_capture.ts';
import { listRuns, runFiles, serviceFolder } from './run_files.ts';
import { type Offsets, type RunLine, RunReader } from './run_reader.ts';
import type { StreamName } from './time_index.ts';

/** Which lines are wanted. */
export interface LogQuery {
  /** At most so many, the last ones. */
  readonly lines: number;
  readonly stream?: StreamName | undefined;
  /** Milliseconds since the epoch. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** A regular expression in RE2's syntax. */
  readonly grep?: string | undefined;
  /** The least level. */
  readonly level?: LogLevel | undefined;
}

interface LogStoreOptions {
  readonly directory: string;
  /** Told of what hinders the capture: a full disk, a missing tool. */
  readonly onProblem: (message: string) => void;
}

interface CaptureOptions {
  /** How many bytes of a service's output are kept, all runs together. */
  readonly max_bytes: number;
}

/** How often files that are written to are looked at, in milliseconds. */
const lookInterval = 100;
/** How many runs may be added before the oldest are removed, where they write little. */
const trimmedRuns = 10;
/** A query gives up after so many bytes; what it found until then is its answer. */
const searchedBytes = 256 * 1024 * 1024;
/** How often the same kind of problem is told, in milliseconds. */
const problemInterval = 60_000;

/** The output of all services: captured into files, found again by time and content, and followed. */
export class LogStore {
  readonly #options: LogStoreOptions;
  readonly #captures = new Map<string, { readonly capture: RunCapture; readonly maxBytes: number }>();
  readonly #awake = new Set<RunCapture>();
  readonly #growth = new EventEmitter().setMaxListeners(0);
  readonly #trimming = new Set<string>();
  readonly #trimmedAt = new Map<string, number>();
  /** What runs that have ended wrote since the last time that the oldest was removed. */
  readonly #closedBytes = new Map<string, number>();
  readonly #toldAt = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LogStoreOptions) {
    this.#options = options;
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  }

  /** Makes the files of a new run. The process gets the descriptors; `release` gives up the agent's own. */
  open(service: string, run: number, options: CaptureOptions): LiveCapture {
    try {
      return this.#open(service, run, options);
    } catch (error) {
      // Better a service without logs than no service.
      if (!noRoom.has(systemErrorCode(error))) throw error;
      this.#tell(
        service,
        `the output of "${service}" is lost until it is started again: ${errorMessage(error)}`,
      );
      return discard();
    }
  }

  #open(service: string, run: number, { max_bytes }: CaptureOptions): LiveCapture {
    const capture = new RunCapture(service, run, runFiles(this.#options.directory, service, run), {
      onAwake: (awake) => this.#look(awake),
      onGrowth: (grown) => this.#grew(grown),
      onProblem: (message) => this.#tell(service, message),
    });
    this.#captures.set(service, { capture, maxBytes: max_bytes });
    this.#growth.emit(service);
    const closedBytes = this.#closedBytes.get(service) ?? 0;
    if (closedBytes > max_bytes / 10 || run % trimmedRuns === 0) setImmediate(() => this.#trim(service));
    return {
      stdout: capture.stdout,
      stderr: capture.stderr,
      release: () => capture.release(),
      close: async () => this.#close(capture),
    };
  }

  /** Takes up a run whose process outlived an earlier agent. */
  adopt(service: string, run: number, options: CaptureOptions): LiveCapture {
    const adopted = this.open(service, run, options);
    adopted.release();
    const capture = this.#captures.get(service)?.capture;
    if (capture) this.#look(capture);
    return adopted;
  }

  /** The last lines that fit, oldest first. */
  query(service: string, query: LogQuery): Promise<{ lines: LogLine[]; truncated: boolean }> {
    return this.#search(service, query, null);
  }

  /**
   * The last lines that fit, or those after a cursor, and then what is written, over restarts of the service, until
   * `signal` ends it. It reads at the pace of its reader, who never slows anyone else.
   */
  async *follow(
    service: string,
    query: LogQuery,
    after: Cursor | null,
    signal: AbortSignal,
  ): AsyncGenerator<LogLine> {
    const filter = lineFilter(query.grep, query.level);
    let cursor = after ?? (await this.#end(service));
    if (after === null) yield* (await this.#search(service, query, cursor)).lines;
    while (!signal.aborted) {
      const grown = once(this.#growth, service, { signal }).catch(() => undefined);
      const next = await this.#readOn(service, cursor, query.stream);
      for (const line of next.lines) {
        const shown = show(cursor.run, line, filter);
        if (shown) yield shown;
        if (signal.aborted) return;
      }
      if (next.cursor === null) await grown;
      else cursor = next.cursor;
    }
  }

  /** The last lines of one run as text, each of at most 1,000 characters. */
  async tail(service: string, run: number, lines: number): Promise<string[]> {
    const reader = await RunReader.open(runFiles(this.#options.directory, service, run));
    if (reader === null) return [];
    const last: string[] = [];
    try {
      for await (const { text } of reader.backward(await reader.sizes(), undefined)) {
        if (last.push(text.slice(0, 1_000)) === lines) break;
      }
    } finally {
      await reader.close();
    }
    return last.reverse();
  }

  /** Removes all output of a service. */
  async remove(service: string): Promise<void> {
    await rm(serviceFolder(this.#options.directory, service), { recursive: true, force: true });
    this.#trimmedAt.delete(service);
    this.#closedBytes.delete(service);
    this.#toldAt.delete(service);
  }

  /** Notes the sizes once more and looks no longer; what runs writes on. */
  close(): void {
    clearInterval(this.#timer);
    for (const { capture } of this.#captures.values()) capture.close();
    this.#captures.clear();
  }

  /** As `query`, among what comes before a cursor. */
  async #search(
    service: string,
    query: LogQuery,
    before: Cursor | null,
  ): Promise<{ lines: LogLine[]; truncated: boolean }> {
    const filter = lineFilter(query.grep, query.level);
    const found: LogLine[] = [];
    let budget = searchedBytes;
    const runs = listRuns(this.#options.directory, service).filter(
      (run) => before === null || run <= before.run,
    );
    for (const run of runs.reverse()) {
      const reader = await RunReader.open(runFiles(this.#options.directory, service, run));
      if (reader === null) continue;
      try {
        const end = query.until === undefined ? await reader.sizes() : await reader.sizesAt(query.until);
        const to = before?.run === run ? lesser(before, end) : end;
        for await (const line of reader.backward(to, query.stream)) {
          if (query.since !== undefined && line.time < query.since) break;
          budget -= line.text.length;
          if (found.length === query.lines || budget < 0) return { lines: found.reverse(), truncated: true };
          const shown = show(run, line, filter);
          if (shown) found.push(shown);
        }
      } finally {
        await reader.close();
      }
    }
    return { lines: found.reverse(), truncated: false };
  }

  /** Where one is who has read every whole line so far. */
  async #end(service: string): Promise<Cursor> {
    const run = listRuns(this.#options.directory, service).at(-1) ?? 0;
    const reader = await RunReader.open(runFiles(this.#options.directory, service, run));
    if (reader === null) return { run, stdout: 0, stderr: 0 };
    try {
      return { run, ...(await reader.wholeLines()) };
    } finally {
      await reader.close();
    }
  }

  /** The next lines after a cursor; no cursor when there is nothing more for now. */
  async #readOn(
    service: string,
    cursor: Cursor,
    stream: StreamName | undefined,
  ): Promise<{ lines: RunLine[]; cursor: Cursor | null }> {
    const isOver = cursor.run !== this.#captures.get(service)?.capture.run;
    const reader = await RunReader.open(runFiles(this.#options.directory, service, cursor.run));
    const lines =
      reader === null ? [] : await reader.forward(cursor, stream, isOver).finally(() => reader.close());
    const last = lines.at(-1);
    if (last) return { lines, cursor: { run: cursor.run, ...last.after } };
    const next = isOver && listRuns(this.#options.directory, service).find((run) => run > cursor.run);
    return { lines, cursor: next ? { run: next, stdout: 0, stderr: 0 } : null };
  }

  #look(capture: RunCapture): void {
    this.#awake.add(capture);
    this.#timer ??= setInterval(() => this.#lookAtAll(), lookInterval).unref();
    if (!capture.look()) this.#awake.delete(capture);
  }

  #lookAtAll(): void {
    for (const capture of this.#awake) if (!capture.look()) this.#awake.delete(capture);
    if (this.#awake.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #grew(capture: RunCapture): void {
    this.#growth.emit(capture.service);
    const limit = this.#captures.get(capture.service)?.maxBytes ?? Number.POSITIVE_INFINITY;
    const trimmedAt = this.#trimmedAt.get(capture.service) ?? 0;
    if (capture.size - trimmedAt > limit / 10) this.#trim(capture.service);
  }

  #close(capture: RunCapture): void {
    this.#awake.delete(capture);
    if (this.#captures.get(capture.service)?.capture === capture) this.#captures.delete(capture.service);
    capture.close();
    const { service, size } = capture;
    this.#closedBytes.set(service, (this.#closedBytes.get(service) ?? 0) + size);
    this.#growth.emit(service);
  }

  #trim(service: string): void {
    const live = this.#captures.get(service);
    if (live === undefined || this.#trimming.has(service)) return;
    this.#trimming.add(service);
    this.#trimmedAt.set(service, live.capture.size);
    this.#closedBytes.delete(service);
    trim(this.#options.directory, service, live.capture.run, live.maxBytes)
      .catch((error: unknown) => {
        // The service may have been deleted meanwhile.
        if (systemErrorCode(error) === 'ENOENT') return;
        this.#tell(service, `the logs of "${service}" cannot be trimmed: ${errorMessage(error)}`);
      })
      .finally(() => this.#trimming.delete(service));
  }

  #tell(service: string, message: string): void {
    if (Date.now() - (this.#toldAt.get(service) ?? 0) < problemInterval) return;
    this.#toldAt.set(service, Date.now());
    this.#options.onProblem(message);
  }
}

/** Why the files of a run cannot be made although nothing is wrong with them. */
const noRoom: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EROFS']);

/** A run whose output goes nowhere. */
function discard(): LiveCapture {
  const nowhere = openSync(devNull, 'a');
  let isOpen = true;
  const release = () => {
    if (isOpen) closeSync(nowhere);
    isOpen = false;
  };
  return { stdout: nowhere, stderr: nowhere, release, close: async () => release() };
}

/** What a run's process gets, and how its capture ends. */
interface LiveCapture {
  readonly stdout: number;
  readonly stderr: number;
  release(): void;
  close(): Promise<void>;
}

function show(run: number, { stream, text, time, after }: RunLine, filter: LineFilter): LogLine | null {
  const level = levelOf(text);
  if (!filter(text, level)) return null;
  return {
    time: new Date(time).toISOString(),
    stream,
    line: text,
    level,
    cursor: formatCursor({ run, ...after }),
  };
}

function lesser(one: Offsets, other: Offsets): Offsets {
  return { stdout: Math.min(one.stdout, other.stdout), stderr: Math.min(one.stderr, other.stderr) };
}
