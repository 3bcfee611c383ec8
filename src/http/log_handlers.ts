import type { operations as contract } from '../contract/operations.ts';
import { isSet, type LogsQuery } from '../contract/requests.ts';
import { milliseconds } from '../lib/units.ts';
import { parseCursor } from '../logs/cursor.ts';
import type { LogQuery, LogStore } from '../logs/log_store.ts';
import type { Registry } from '../services/registry.ts';
import type { LiveStreams } from './live_streams.ts';
import { type Handler, streamed } from './route.ts';

/** How many lines are given when nobody says. */
const defaultLines = 100;

/** The route on the output of a service: its last lines, or a stream of them. */
export function logHandler(
  logs: LogStore,
  registry: Registry,
  streams: LiveStreams,
): Handler<(typeof contract)['serviceLogs']> {
  return async ({ path, query, principal, request, response }) => {
    registry.get(path.id);
    const wanted = readQuery(query);
    if (!isSet(query.follow)) return { service: path.id, ...(await logs.query(path.id, wanted)) };
    const last = request.get('Last-Event-ID');
    const after = last === undefined ? null : parseCursor(last);
    await streams.send(response, principal, async function* (signal) {
      for await (const line of logs.follow(path.id, wanted, after, signal)) {
        yield { event: 'line', id: line.cursor, data: line };
      }
    });
    return streamed;
  };
}

function readQuery({ lines, stream, since, until, grep, level }: LogsQuery): LogQuery {
  return {
    lines: lines === undefined ? defaultLines : Number(lines),
    stream,
    since: since === undefined ? undefined : readMoment(since),
    until: until === undefined ? undefined : readMoment(until),
    grep,
    level,
  };
}

/** Milliseconds since the epoch of an RFC 3339 time, or of a duration before now. */
function readMoment(text: string): number {
  return /^\d{4}-/.test(text) ? Date.parse(text) : Date.now() - milliseconds(text);
}
