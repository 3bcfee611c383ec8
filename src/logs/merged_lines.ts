import { type Place, placeOf, type Standing } from './cursor.ts';
import type { LineSource, TimedLine } from './line_source.ts';
import type { Run } from './run.ts';
import { type Offsets, type StreamName, streamNames } from './run_files.ts';
import type { RunReader } from './run_reader.ts';

/** A run that has to be read, and how much of it lies before the place where reading begins. */
export interface Part {
  readonly run: Run;
  readonly standing: Standing;
}

interface OpenedPart {
  readonly sources: readonly LineSource[];
  /** Where it was when it was opened. */
  readonly from: Offsets;
}

/** How the lines of one direction are had. */
export interface Direction {
  readonly sign: 1 | -1;
  /** Only this stream; both when it is undefined. */
  readonly stream: StreamName | undefined;
  /** No line of the run comes before this time, or after it when reading backwards. */
  bound(run: Run): number;
  /** Opens a run, and says where it is read from; null when its files are gone. */
  open(part: Part): Promise<{ reader: RunReader; from: Offsets; sources: readonly LineSource[] } | null>;
}

/**
 * The lines of several runs as one sequence, by time; each stream keeps its own order. A run is opened only when its
 * lines may be next, and closed when there are none left.
 */
export class MergedLines {
  readonly #direction: Direction;
  readonly #parts: readonly Part[];
  readonly #opened = new Map<Run, OpenedPart>();
  readonly #readers = new Map<Run, RunReader>();
  /** Where the streams of those ended that are closed again. */
  readonly #ends = new Map<Run, Offsets>();
  #sources: LineSource[] = [];
  readonly #waiting: Part[];
  readonly #known: number;

  /**
   * @param parts the runs, rising, of which there is something to read
   * @param known the greatest run that is accounted for
   */
  constructor(parts: readonly Part[], known: number, direction: Direction) {
    this.#direction = direction;
    this.#parts = parts;
    this.#known = known;
    const { sign, bound } = direction;
    this.#waiting = parts
      .filter(({ standing }) => standing !== (sign === 1 ? 'all' : 'none'))
      .sort(
        (one, other) => sign * (bound(one.run) - bound(other.run) || one.run.name.run - other.run.name.run),
      );
  }

  /** The next line; null when there is none, undefined when more has to be read first, by `fill`. */
  get line(): TimedLine | null | undefined {
    const best = this.#best;
    if (best === undefined) return undefined;
    return best === null ? null : best.line;
  }

  /** Takes the next line. */
  drop(): void {
    this.#best?.drop();
  }

  /** Reads what is needed to know the next line. */
  async fill(): Promise<void> {
    await Promise.all(this.#sources.map((source) => source.fill()));
    const dry = this.#sources.filter((source) => source.line === undefined);
    if (dry.length > 0) this.#sources = this.#sources.filter((source) => source.line !== undefined);
    for (const run of new Set(dry.map(({ options }) => options.run))) {
      if (!this.#sources.some(({ options }) => options.run === run)) await this.#close(run);
    }
    const next = this.#waiting[0];
    if (next === undefined || !this.#mayPrecede(next.run, this.#first())) return;
    this.#waiting.shift();
    await this.#open(next);
    await Promise.all(this.#sources.map((source) => source.fill()));
  }

  /** Whether something that was to be read has been removed meanwhile; what follows it was not read. */
  get isOvertaken(): boolean {
    return [...this.#opened.values()].some(({ sources }) => sources.some((source) => source.isOvertaken));
  }

  /** The place between what has been taken and what has not. */
  place(): Place {
    return this.#placeWith(this.#direction.sign === 1 ? this.#known : 0, (run, opened) => {
      const taken = { ...opened.from };
      for (const { options, position } of opened.sources) taken[options.stream] = position;
      return this.#standing(run, taken);
    });
  }

  /** The place where reading began. */
  begin(): Place {
    return this.#placeWith(this.#known, (run, opened) => this.#standing(run, opened.from));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#readers.keys()].map((run) => this.#close(run)));
  }

  /** The source of the next line; null when all are dry, undefined when that is not known. */
  get #best(): LineSource | null | undefined {
    let best: LineSource | null = null;
    for (const source of this.#sources) {
      if (source.line === undefined) {
        if (!source.isDry) return undefined;
      } else if (best === null || this.#isBefore(source, best)) best = source;
    }
    const next = this.#waiting[0];
    return next !== undefined && this.#mayPrecede(next.run, best?.line) ? undefined : best;
  }

  #first(): TimedLine | undefined {
    let best: LineSource | undefined;
    for (const source of this.#sources)
      if (source.line !== undefined && (best === undefined || this.#isBefore(source, best))) best = source;
    return best?.line;
  }

  #isBefore({ line: one }: LineSource, { line: other }: LineSource): boolean {
    if (one === undefined || other === undefined) return one !== undefined;
    const difference =
      one.time - other.time ||
      one.run.name.run - other.run.name.run ||
      streamNames.indexOf(one.stream) - streamNames.indexOf(other.stream);
    return difference * this.#direction.sign < 0;
  }

  #mayPrecede(run: Run, line: TimedLine | undefined): boolean {
    const { sign, bound } = this.#direction;
    return line === undefined || sign * (bound(run) - line.time) <= 0;
  }

  async #open(part: Part): Promise<void> {
    const opened = await this.#direction.open(part);
    if (opened === null) return;
    this.#readers.set(part.run, opened.reader);
    this.#opened.set(part.run, opened);
    this.#sources.push(...opened.sources);
  }

  async #close(run: Run): Promise<void> {
    const reader = this.#readers.get(run);
    this.#readers.delete(run);
    this.#ends.set(run, reader?.end ?? { stdout: 0, stderr: 0 });
    await reader?.close();
  }

  #placeWith(known: number, standing: (run: Run, opened: OpenedPart) => Standing): Place {
    const runs = this.#parts.map((part) => {
      const opened = this.#opened.get(part.run);
      return [part.run.name.run, opened ? standing(part.run, opened) : part.standing] as const;
    });
    return placeOf(runs, known);
  }

  /** A run that has ended and of which everything has been taken needs no mention. */
  #standing(run: Run, taken: Offsets): Standing {
    const end = this.#readers.get(run)?.end ?? this.#ends.get(run);
    const { stream: only } = this.#direction;
    const isRead = (stream: StreamName) =>
      (only !== undefined && stream !== only) || taken[stream] >= (end?.[stream] ?? Number.POSITIVE_INFINITY);
    const isAll = streamNames.every(isRead);
    if (isAll && !run.isLive) return 'all';
    return taken.stdout === 0 && taken.stderr === 0 ? 'none' : taken;
  }
}
