import type { SkippedOutput } from '../contract/logs.ts';
import type { Captures } from './captures.ts';
import type { Catalog } from './catalog.ts';
import { type Place, type Standing, standingOf } from './cursor.ts';
import type { SearchBudget } from './log_query.ts';
import { offsetsOf } from './resume.ts';
import type { Run } from './run.ts';
import { streamNames } from './run_files.ts';
import { endOf, type FoundLine, searchForward } from './search.ts';

/** Told of what becomes of the output of services. */
export interface FeedListener {
  /** A service wrote more, or one of its runs began or ended. */
  readonly onNews: (service: string) => void;
  /** All output of a service is about to be removed, which waits until this is settled; it must not take long. */
  readonly onRemoval: (service: string) => Promise<void>;
  readonly onRemoved: (service: string) => void;
}

/** A line that is the same whenever it is read. */
export type FeedLine = Required<Pick<FoundLine, 'id'>> & FoundLine;

/** Lines after a place. */
export interface FeedPage {
  readonly lines: readonly FeedLine[];
  /** Where to go on. */
  readonly place: Place;
  /** What lay before these lines and is not kept any more. */
  readonly skipped: SkippedOutput | null;
  /** Whether there may be more at once. */
  readonly more: boolean;
}

/** How much is read at once: so many lines, and about so many bytes. */
const pageLines = 2_000;
const pageBudget: SearchBudget = { searched_bytes: 131_072, milliseconds: 200, answered_bytes: 131_072 };

/** The output of all services for those who take all of it along: where it begins, what comes next, and when there is more. */
export class LogFeed {
  readonly #catalog: Catalog;
  readonly #captures: Captures;
  readonly #listeners = new Set<FeedListener>();
  readonly #removals = new Map<string, AbortController>();

  constructor(catalog: Catalog, captures: Captures) {
    this.#catalog = catalog;
    this.#captures = captures;
  }

  /** The services of which any output is kept. */
  services(): string[] {
    return this.#catalog.services();
  }

  /** The place before all that is kept of a service. What is not kept any more counts as read. */
  begin(service: string): Place {
    const runs = this.#catalog.of(service);
    if (runs.length === 0) return [{ run: 0, stdout: 0, stderr: 0 }];
    return runs.map(({ name, head }) => ({ run: name.run, ...head }));
  }

  /** The place after every whole line of a service so far. */
  end(service: string): Promise<Place> {
    return endOf(this.#catalog.of(service), {});
  }

  /** The lines after a place, as far as they are there and their time has been noted: whoever reads them again gets the same. */
  async next(service: string, place: Place): Promise<FeedPage> {
    const runs = () => this.#catalog.of(service);
    const page = await searchForward(runs, place, { lines: pageLines, lasting: true }, pageBudget);
    // Each has its id: they were asked for as lasting ones.
    const lines = page.lines as FeedLine[];
    return { lines, place: page.place, skipped: page.skipped, more: page.truncated };
  }

  /** How much of what is kept lies after a place; of runs that ended before the agent began it is what they hold on the disk. */
  bytesAfter(service: string, place: Place): number {
    return this.#catalog
      .of(service)
      .reduce((sum, run) => sum + bytesAfter(run, standingOf(place, run.name.run)), 0);
  }

  /** Tells from now on, until the returned function is called. */
  listen(listener: FeedListener): () => void {
    this.#listeners.add(listener);
    const ends = this.#captures.subscribe(listener.onNews);
    return () => {
      this.#listeners.delete(listener);
      ends();
    };
  }

  /** Says that the output of a service is about to be removed; resolves when everybody is ready for it. */
  async announceRemoval(service: string): Promise<void> {
    await Promise.all([...this.#listeners].map((listener) => listener.onRemoval(service)));
  }

  noteRemoved(service: string): void {
    for (const listener of this.#listeners) listener.onRemoved(service);
    this.#removals.get(service)?.abort();
    this.#removals.delete(service);
  }

  /** Aborted when all output of a service has been removed: the service is gone. */
  removalOf(service: string): AbortSignal {
    const removal = this.#removals.get(service) ?? new AbortController();
    this.#removals.set(service, removal);
    return removal.signal;
  }
}

function bytesAfter(run: Run, standing: Standing): number {
  if (standing === 'all') return 0;
  const from = offsetsOf(standing, run.sizes);
  const isMeasured = run.sizes.stdout > 0 || run.sizes.stderr > 0;
  if (!isMeasured) return run.isLive ? 0 : Math.max(0, run.bytes - from.stdout - from.stderr);
  return streamNames
    .map((stream) => Math.max(0, run.sizes[stream] - Math.max(from[stream], run.head[stream])))
    .reduce((sum, bytes) => sum + bytes, 0);
}
