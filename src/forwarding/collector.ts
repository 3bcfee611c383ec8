import { parseCursor } from '../logs/cursor.ts';
import type { FeedPage, LogFeed } from '../logs/log_feed.ts';
import type { Outgoing, Render } from './outgoing.ts';
import type { Source } from './source.ts';

interface CollectorOptions {
  readonly feed: Pick<LogFeed, 'next'>;
  readonly render: Render;
  /** What retention took out of the output of a service before it was read; null: nobody knows how much. */
  readonly onSkipped: (service: string, bytes: number | null) => void;
  /** A service was moved forward; what lies before has arrived where nothing is under way. */
  readonly onMoved: (source: Source) => void;
  /** The output of a service cannot be read; it is tried again. */
  readonly onUnreadable: (service: string, error: unknown) => void;
}

/** Lines of several services for one request. */
interface Collected {
  readonly lines: readonly Outgoing[];
  readonly bytes: number;
  /** Whether there was more than there was room for. */
  readonly isFull: boolean;
}

/** Lines for one request, and how many services were looked at for them. */
interface Gathered extends Collected {
  readonly services: number;
}

/** When what could not be read is tried again, in milliseconds. */
const triedAgainAfter = 10_000;

/**
 * Takes together what there is to send. Each service has its turn, and gives one page at a time, so that one that
 * writes much keeps nobody waiting.
 */
export class Collector {
  readonly #options: CollectorOptions;
  readonly #known = new Set<Source>();
  /** Those that may have more, in the order of their turns. */
  readonly #waiting = new Set<Source>();
  readonly #unreadable = new Map<Source, number>();

  constructor(options: CollectorOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  /** Those that were added and not removed. */
  get sources(): Iterable<Source> {
    return this.#known;
  }

  has(source: Source): boolean {
    return this.#known.has(source);
  }

  isWaiting(source: Source): boolean {
    return this.#waiting.has(source) || this.#unreadable.has(source);
  }

  /** A service may have more. */
  add(source: Source): void {
    this.#known.add(source);
    this.#waiting.add(source);
  }

  /** A service has no turn any more. */
  remove(source: Source): void {
    this.#known.delete(source);
    this.#waiting.delete(source);
    this.#unreadable.delete(source);
  }

  /**
   * Reads on, for each in its turn, until there are about `most` bytes or nothing is left of what there was when it began.
   * @param isWanted whether it may still move a service forward: if not, that waits for another turn
   */
  async collect(most: number, isWanted: () => boolean): Promise<Gathered> {
    this.#tryAgain();
    const lines: Outgoing[] = [];
    let bytes = 0;
    // Whoever has more stands at the end; what is written meanwhile is for the next time.
    const turns = [...this.#waiting];
    const services = turns.length;
    for (const source of turns) {
      if (bytes >= most || !isWanted()) return { lines, bytes, isFull: true, services };
      if (!this.#known.has(source)) continue;
      this.#waiting.delete(source);
      const page = await this.#read(source);
      if (page === null || !this.#known.has(source)) continue;
      if (page.more || !isWanted()) this.#waiting.add(source);
      if (!isWanted()) continue;
      const taken = this.#take(source, page, most - bytes, lines.length === 0);
      for (const line of taken.lines) lines.push(line);
      bytes += taken.bytes;
      if (taken.isFull) this.#waiting.add(source);
      if (taken.isFull) return { lines, bytes, isFull: true, services };
      if (page.more) turns.push(source);
    }
    return { lines, bytes, isFull: false, services };
  }

  async #read(source: Source): Promise<FeedPage | null> {
    try {
      const page = await this.#options.feed.next(source.service, source.read);
      const { skipped } = page;
      if (skipped !== null && source.isNewGap(skipped.cursor))
        this.#options.onSkipped(source.service, skipped.bytes);
      return page;
    } catch (error) {
      if (!this.#known.has(source)) return null;
      this.#unreadable.set(source, performance.now() + triedAgainAfter);
      this.#options.onUnreadable(source.service, error);
      return null;
    }
  }

  /** As many lines as there is room for, and at least one where nothing was taken yet. */
  #take(source: Source, page: FeedPage, room: number, isFirst: boolean): Collected {
    const lines: Outgoing[] = [];
    let bytes = 0;
    for (const line of page.lines) {
      const rendered = this.#options.render(source.service, line);
      if (bytes + rendered.bytes > room && !(isFirst && lines.length === 0)) break;
      lines.push({ source, cursor: line.cursor, ...rendered });
      bytes += rendered.bytes;
    }
    const last = lines.at(-1)?.cursor ?? null;
    const isAll = lines.length === page.lines.length;
    if (!isAll && last !== null) source.advance(parseCursor(last), last);
    else if (isAll && !source.isAt(page.place)) source.advance(page.place, last);
    this.#options.onMoved(source);
    return { lines, bytes, isFull: !isAll };
  }

  #tryAgain(): void {
    for (const [source, due] of this.#unreadable) {
      if (due > performance.now()) continue;
      this.#unreadable.delete(source);
      this.#waiting.add(source);
    }
  }
}
