import type { LogsQuery } from '../contract/logs.ts';
import type { operations as contract } from '../contract/operations.ts';
import { isSet } from '../contract/query.ts';
import { DavitError } from '../lib/errors.ts';
import { milliseconds } from '../lib/units.ts';
import { type Place, parseCursor } from '../logs/cursor.ts';
import type { LogBatch } from '../logs/follow.ts';
import type { LogQuery } from '../logs/log_query.ts';
import type { LogStore } from '../logs/log_store.ts';
import type { Registry } from '../services/registry.ts';
import { eventText, type LiveStreams } from './live_streams.ts';
import { type Handler, streamed } from './route.ts';

/** How many lines are given when nobody says. */
const defaultLines = 100;

/** The route on the output of a service: a page of its lines, or a stream of them. */
export function logHandler(
  logs: LogStore,
  registry: Registry,
  streams: LiveStreams,
): Handler<(typeof contract)['serviceLogs']> {
  const texts = new WeakMap<LogBatch, Buffer>();
  return async ({ path, query, principal, request, response }) => {
    registry.get(path.id);
    const wanted = readQuery(query);
    const { after, before } = query;
    if (!isSet(query.follow)) {
      if (after !== undefined) refuse(query, 'before', 'after');
      const place = { after: readPlace(after), before: readPlace(before) };
      return { service: path.id, ...(await logs.query(path.id, wanted, place)) };
    }
    refuse(query, 'before', 'follow');
    refuse(query, 'until', 'follow');
    const begin = readPlace(request.get('Last-Event-ID') ?? after) ?? null;
    await streams.send(response, principal, async function* (signal) {
      for await (const batch of logs.follow(path.id, wanted, begin, signal)) {
        // Many readers get the same batch.
        const text = texts.get(batch) ?? Buffer.from(batchText(batch));
        texts.set(batch, text);
        yield text;
      }
    });
    return streamed;
  };
}

/** Throws `invalid_request` where `name` is asked for together with `other`. */
function refuse(query: LogsQuery, name: 'before' | 'until', other: string): void {
  if (query[name] === undefined) return;
  const message = `cannot be used together with ${other}`;
  throw new DavitError('invalid_request', `${name} in the query: ${message}`, {
    details: [{ path: name, message }],
  });
}

/** The events of a batch. Where nothing in it was wanted, its reader learns at least where to go on. */
function batchText({ lines, cursor, skipped }: LogBatch): string {
  const missed = skipped === null ? '' : eventText({ event: 'skipped', id: skipped.cursor, data: skipped });
  const texts = lines.map((line) => eventText({ event: 'line', id: line.cursor, data: line }));
  return lines.length === 0 && skipped === null ? `id: ${cursor}\n\n` : missed + texts.join('');
}

/** Which lines are wanted; the last hundred where nobody says how many. */
export function readQuery({
  lines,
  stream,
  since,
  until,
  grep,
  level,
  release,
  instance,
}: Omit<LogsQuery, 'after' | 'before' | 'follow'>): LogQuery {
  return {
    lines: lines === undefined ? defaultLines : Number(lines),
    stream,
    since: since === undefined ? undefined : readMoment(since),
    until: until === undefined ? undefined : readMoment(until),
    grep,
    level,
    release: release === undefined ? undefined : Number(release),
    instance: instance === undefined ? undefined : Number(instance),
  };
}

function readPlace(cursor: string | undefined): Place | undefined {
  return cursor === undefined ? undefined : parseCursor(cursor);
}

/** Milliseconds since the epoch of an RFC 3339 time, or of a duration before now. */
export function readMoment(text: string): number {
  return /^\d{4}-/.test(text) ? Date.parse(text) : Date.now() - milliseconds(text);
}
