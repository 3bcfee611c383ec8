import type { Event } from '../contract/answers.ts';
import type { operations as contract } from '../contract/operations.ts';
import { isSet } from '../contract/query.ts';
import type { EventFilter, EventLog } from '../services/event_log.ts';
import type { LiveStreams } from './live_streams.ts';
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
      ...(after !== undefined && { after: Number(after) || 0 }),
      ...(query.service !== undefined && { service: query.service }),
      ...(query.type !== undefined && { type: query.type }),
      limit: query.limit === undefined ? defaultLimit : Number(query.limit),
      visible: (event) => maySee(principal, event),
    };
    if (!isSet(query.follow)) return { events: events.list(wanted) };
    await streams.send(response, principal, async function* (signal) {
      for await (const event of events.follow(wanted, signal)) {
        yield { event: 'event', id: String(event.id), data: event };
      }
    });
    return streamed;
  };
}

/** What concerns the agent as a whole is shown to those who may read all of it. */
function maySee(principal: Principal, { service }: Event): boolean {
  return allows(principal, 'read', service);
}
