import type { MergedLine, MergedLogPage } from '../contract/merged_logs.ts';
import { beginPlace, type CompositePlace, formatCompositeCursor } from './composite_cursor.ts';
import { parseCursor } from './cursor.ts';
import { defaultBudget, type LogQuery, type SearchBudget } from './log_query.ts';
import type { LogStore } from './log_store.ts';
import { MergedServices } from './merged_services.ts';
import { ServiceLines } from './service_lines.ts';

export type ServiceLogs = Pick<LogStore, 'query' | 'follow' | 'feed'>;

/** Where a page lies: after a place, or before one. Without either it is the last page. */
export interface CompositePagePlace {
  readonly after?: CompositePlace | undefined;
  readonly before?: CompositePlace | undefined;
}

/** How many lines of one service are read at once, at least and at most. */
const fewestAtOnce = 20;
const mostAtOnce = 2_000;
/** What one of these readings may cost; how long all of them may take is for the whole page. */
const partBudget = { searched_bytes: 32 * 2 ** 20, answered_bytes: 512 * 2 ** 10 };
/** So many whole readings may wait while a file is sent; those of more services are smaller. */
const wholeParts = 4;
/** How long it takes at most until it is known when something was written, in milliseconds. */
const noticeTime = 1_000;

/** A page of the lines of several services, oldest first, with the cursors to go on in both directions. */
export async function mergedPage(
  logs: ServiceLogs,
  services: readonly string[],
  query: LogQuery,
  { after, before }: CompositePagePlace,
  budget: SearchBudget = defaultBudget,
): Promise<MergedLogPage> {
  const isForward = after !== undefined;
  const deadline = performance.now() + budget.milliseconds;
  const places = after ?? before;
  const share = Math.ceil((2 * query.lines) / Math.max(1, services.length));
  const part = { ...query, lines: Math.min(query.lines + 1, Math.max(fewestAtOnce, share), mostAtOnce) };
  const merged = new MergedServices(
    services.map((service) => {
      const place = places === undefined ? null : (places.get(service) ?? beginPlace);
      return new ServiceLines(service, place, isForward, (from) => {
        const milliseconds = Math.max(1, deadline - performance.now());
        const at = from === null ? {} : isForward ? { after: from } : { before: from };
        return logs.query(service, part, at, { ...partBudget, milliseconds });
      });
    }),
    isForward,
  );
  const { lines, truncated } = await collect(merged, query.lines, budget.answered_bytes, deadline);
  const begins = cursorOf(merged, ({ begin }) => begin, places);
  const ends = cursorOf(merged, ({ cursor }) => cursor, places);
  const skipped = merged.services.flatMap(({ service, skipped }) =>
    skipped ? [{ ...skipped, service }] : [],
  );
  return {
    services: [...services],
    lines: isForward ? lines : lines.reverse(),
    truncated,
    before: isForward ? begins : ends,
    after: isForward ? ends : begins,
    ...(skipped.length > 0 && { skipped }),
  };
}

/** Lines in the order in which they are read. */
async function collect(
  merged: MergedServices,
  most: number,
  answered_bytes: number,
  deadline: number,
): Promise<{ lines: MergedLine[]; truncated: boolean }> {
  const lines: MergedLine[] = [];
  let answered = 0;
  for (let isFirst = true; ; ) {
    const { hasNext } = merged;
    if (hasNext === false) return { lines, truncated: false };
    if (hasNext === undefined) {
      // Something is always read, so that whoever asks again comes further.
      if (!isFirst && performance.now() > deadline) return { lines, truncated: true };
      isFirst = false;
      await merged.fill();
      continue;
    }
    if (lines.length >= most || answered >= answered_bytes) return { lines, truncated: true };
    const line = merged.next();
    if (!line) continue;
    lines.push(line);
    answered += line.line.length;
  }
}

function cursorOf(
  { services }: MergedServices,
  pick: (service: ServiceLines) => string | null,
  places: CompositePlace | undefined,
): string {
  return formatCompositeCursor(
    new Map(
      services.map((each) => {
        const cursor = pick(each);
        const known = places?.get(each.service) ?? beginPlace;
        return [each.service, cursor === null ? known : parseCursor(cursor)];
      }),
    ),
  );
}

/**
 * All lines of several services that fit, oldest first, from the oldest that is kept on to what is written as it begins:
 * whoever reads more slowly than they write comes to an end.
 */
export async function* allLines(
  logs: ServiceLogs,
  services: readonly string[],
  query: Omit<LogQuery, 'lines'>,
  signal: AbortSignal,
): AsyncGenerator<MergedLine> {
  // What was read waits for a reader that may be slow, so of many services there is little of each.
  const share = Math.min(1, wholeParts / services.length);
  const until = query.until ?? Date.now() + noticeTime;
  const part = { ...query, until, lines: Math.ceil(mostAtOnce * share) };
  const answered_bytes = partBudget.answered_bytes * share;
  // Not long, so that a reader that goes away is noticed.
  const budget = { ...partBudget, answered_bytes, milliseconds: 500 };
  const merged = new MergedServices(
    services.map((service) => {
      const read = (from: ReturnType<typeof parseCursor> | null) =>
        logs.query(service, part, { after: from ?? logs.feed.begin(service) }, budget);
      return new ServiceLines(service, null, true, read);
    }),
    true,
  );
  while (!signal.aborted) {
    const line = merged.next();
    if (line === null) return;
    if (line === undefined) await merged.fill();
    else yield line;
  }
}
