import type { Event } from '../contract/events.ts';
import { type EventsQuery, eventTypesOf } from '../contract/events.ts';
import type { operations as contract } from '../contract/operations.ts';
import { isSet } from '../contract/query.ts';
import { DavitError } from '../lib/errors.ts';
import type { EventFilter, EventLog } from '../services/event_log.ts';
import type { LiveStreams } from './live_streams.ts';
import { readMoment } from './log_handlers.ts';
import { allows, type Principal } from './permission.ts';
import { type Handler, streamed } from './route.ts';

/** How many events are given when nobody says. */
const defaultLimit = 100;

/** The route on events: the newest, or a stream of them. */
export function eventHandler(
  events: EventLog,
  streams: LiveStreams,
): Handler<(typeof contract)['listEvents']> {
  return async ({ query, principal, request, response }) => {
    const after = request.get('Last-Event-ID') ?? query.after;
    const wanted: EventFilter = {
      ...readFilter(query),
      ...(after !== undefined && { after: Number(after) || 0 }),
      visible: (event) => maySee(principal, event),
    };
    if (!isSet(query.follow)) return { events: events.list(wanted) };
    for (const name of ['before', 'until'] as const) refuse(query, name);
    await streams.send(response, principal, async function* (signal) {
      for await (const event of events.follow(wanted, signal)) {
        yield { event: 'event', id: String(event.id), data: event };
      }
    });
    return streamed;
  };
}

function readFilter(query: EventsQuery): Omit<EventFilter, 'visible'> {
  const { before, since, until, service, type, actor, limit } = query;
  return {
    ...(before !== undefined && { before: Number(before) }),
    ...(since !== undefined && { since: readMoment(since) }),
    ...(until !== undefined && { until: readMoment(until) }),
    ...(service !== undefined && { service }),
    ...(type !== undefined && { type: type.split(',').flatMap(eventTypesOf) }),
    ...(actor !== undefined && { actor }),
    limit: limit === undefined ? defaultLimit : Number(limit),
  };
}

/** Throws `invalid_request` where a stream is asked for that would have to end. */
function refuse(query: EventsQuery, name: 'before' | 'until'): void {
  if (query[name] === undefined) return;
  const message = 'cannot be used together with follow';
  throw new DavitError('invalid_request', `${name} in the query: ${message}`, {
    details: [{ path: name, message }],
  });
}

/** What concerns the agent as a whole is shown to those who may read all of it. */
function maySee(principal: Principal, { service }: Event): boolean {
  return allows(principal, 'read', service);
}
