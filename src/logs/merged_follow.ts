import { setTimeout as sleep } from 'node:timers/promises';
import type { MergedLine, SkippedServiceOutput } from '../contract/merged_logs.ts';
import {
  beginPlace,
  type CompositePlace,
  formatCompositeCursor,
  parseCompositeCursor,
} from './composite_cursor.ts';
import { type Place, parseCursor } from './cursor.ts';
import { FollowedService } from './followed_service.ts';
import { lineFilter } from './line_filter.ts';
import type { LogQuery } from './log_query.ts';
import { mergedPage, type ServiceLogs } from './merged_page.ts';

/** The next lines of several services. */
export interface MergedBatch {
  readonly lines: readonly MergedLine[];
  /** What the reader missed before these lines. */
  readonly skipped: readonly SkippedServiceOutput[];
  /** Where to go on. */
  readonly cursor: string;
}

/** How often there is a batch at most, and how long the first lines wait for those of other services, in milliseconds. */
const batchInterval = 100;
const settleTime = 15;
/** How large a batch may be: in lines, and in characters of these. */
const mostLines = 2_000;
const mostCharacters = 2 ** 20;

/**
 * The last lines of several services that fit, or those after a place, and then what they write, until `signal` ends
 * it. It reads at the pace of its reader, of each service one piece ahead, and the reader is told what it misses.
 */
export async function* followServices(
  logs: ServiceLogs,
  services: readonly string[],
  query: LogQuery,
  after: CompositePlace | null,
  signal: AbortSignal,
): AsyncGenerator<MergedBatch> {
  lineFilter(query.grep, query.level);
  const places = new Places(services, after ?? (await endsOf(logs, services)));
  if (after === null) yield* backlog(logs, services, query, places);
  const ending = new AbortController();
  const wake = new Wake();
  const all = AbortSignal.any([signal, ending.signal]);
  all.addEventListener('abort', () => wake.call());
  const followed = services.map((service) => {
    const batches = logs.follow(service, query, places.of(service), all, services.length);
    return new FollowedService(service, batches, () => wake.call());
  });
  try {
    for (let sentAt = Number.NEGATIVE_INFINITY; ; sentAt = performance.now()) {
      while (!followed.some(({ isPending }) => isPending) && !all.aborted) await wake.next();
      const wait = Math.max(settleTime, sentAt + batchInterval - performance.now());
      await sleep(wait, undefined, { signal: all }).catch(() => {});
      if (all.aborted) return;
      yield await takeBatch(followed, places);
    }
  } finally {
    ending.abort();
    await Promise.all(followed.map((each) => each.end()));
  }
}

async function takeBatch(followed: readonly FollowedService[], places: Places): Promise<MergedBatch> {
  const skipped: SkippedServiceOutput[] = [];
  const lines: MergedLine[] = [];
  let characters = 0;
  for (const each of followed) {
    const missed = each.takeSkipped();
    if (missed === null) continue;
    skipped.push({ ...missed, service: each.service });
    places.set(each.service, missed.cursor);
  }
  while (lines.length < mostLines && characters < mostCharacters) {
    const best = earliest(followed);
    if (best === null) break;
    const { line, cursor } = best.take();
    lines.push({ service: best.service, ...line });
    characters += line.line.length;
    places.set(best.service, cursor);
    // Where there is more at once, it may come before the lines of others.
    if (best.mayHaveMore) await best.refilled();
  }
  // What was read and not wanted brings whoever comes back further, too.
  for (const each of followed) {
    const cursor = each.takeRest();
    if (cursor !== null) places.set(each.service, cursor);
  }
  return { lines, skipped, cursor: places.cursor };
}

function earliest(followed: readonly FollowedService[]): FollowedService | null {
  let best: FollowedService | null = null;
  for (const each of followed) {
    const { time } = each;
    if (time !== null && (best?.time == null || time < best.time)) best = each;
  }
  return best;
}

async function* backlog(
  logs: ServiceLogs,
  services: readonly string[],
  query: LogQuery,
  places: Places,
): AsyncGenerator<MergedBatch> {
  const page = await mergedPage(logs, services, query, { before: places.all });
  // Whoever is cut off in the midst of it goes on in the midst of it.
  const read = new Places(services, parseCompositeCursor(page.before));
  for (let from = 0; from < page.lines.length; ) {
    const lines: MergedLine[] = [];
    for (let characters = 0; lines.length < mostLines && characters < mostCharacters; from++) {
      const line = page.lines[from];
      if (line === undefined) break;
      lines.push(line);
      characters += line.line.length;
      read.set(line.service, line.cursor);
    }
    const isLast = from >= page.lines.length;
    yield { lines, skipped: [], cursor: isLast ? places.cursor : read.cursor };
  }
  if (page.lines.length === 0) yield { lines: [], skipped: [], cursor: places.cursor };
}

async function endsOf(logs: ServiceLogs, services: readonly string[]): Promise<CompositePlace> {
  const places = new Map<string, Place>();
  for (const service of services) places.set(service, await logs.feed.end(service));
  return places;
}

/** Where one reader is in each of several services. */
class Places {
  readonly #places: Map<string, Place>;

  constructor(services: readonly string[], places: CompositePlace) {
    this.#places = new Map(services.map((service) => [service, places.get(service) ?? beginPlace]));
  }

  get all(): CompositePlace {
    return this.#places;
  }

  get cursor(): string {
    return formatCompositeCursor(this.#places);
  }

  of(service: string): Place {
    return this.#places.get(service) ?? beginPlace;
  }

  set(service: string, cursor: string): void {
    this.#places.set(service, parseCursor(cursor));
  }
}

/** Wakes one who waits. */
class Wake {
  #resolve: () => void = () => {};
  #isCalled = false;

  call(): void {
    this.#isCalled = true;
    this.#resolve();
  }

  async next(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#resolve = resolve;
    if (!this.#isCalled) await promise;
    this.#isCalled = false;
  }
}
