import type { operations as contract } from '../contract/operations.ts';
import type { LiveChanges } from './live_changes.ts';
import type { LiveStreams } from './live_streams.ts';
import { type Handler, streamed } from './route.ts';

/** The route on everything that moves. */
export function liveHandler(changes: LiveChanges, streams: LiveStreams): Handler<(typeof contract)['live']> {
  return async ({ query, principal, request, response }): Promise<typeof streamed> => {
    const last = request.get('Last-Event-ID') ?? query.after;
    await streams.send(response, principal, (signal) => changes.follow(principal, readId(last), signal));
    return streamed;
  };
}

/** null: it is none of ours, so that nobody knows what was missed. */
function readId(text: string | undefined): number | null | undefined {
  if (text === undefined) return undefined;
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}
