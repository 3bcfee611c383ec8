import type { IncomingMessage } from 'node:http';
import { StringDecoder } from 'node:string_decoder';
import { setTimeout as delay } from 'node:timers/promises';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { DavitError, errorMessage } from '../lib/errors.ts';
import type { AgentClient, Query } from './client.ts';

export interface Following {
  readonly client: AgentClient;
  readonly path: string;
  readonly query: Query;
  readonly signal: AbortSignal;
  /** Told when the stream breaks off, and when it goes on. */
  readonly onNotice: (message: string) => void;
}

/** Milliseconds before each attempt to take a stream up again; the last one counts for all that follow. */
const waits = [100, 500, 1_000, 2_000, 5_000];
/** Milliseconds without a connection after which following ends with an error. */
const patience = 300_000;
/** Characters of one event; a line of a log is far shorter. */
const largestEvent = 16 * 2 ** 20;
const passing = [
  'agent_unreachable',
  'shutting_down',
  'too_many_requests',
  'internal',
  'storage_unavailable',
];

/** The events of a stream, which is taken up where it broke off when the connection ends. Ends only by an error. */
export async function* follow(following: Following): AsyncGenerator<EventSourceMessage> {
  const { client, path, query } = following;
  let lastEventId: string | null = null;
  let stream = await client.stream(path, query, null);
  for (let fruitless = 0; ; fruitless++) {
    for await (const event of eventsOf(stream)) {
      lastEventId = event.id ?? lastEventId;
      fruitless = 0;
      yield event;
    }
    following.signal.throwIfAborted();
    following.onNotice('the connection to the agent ended; taking the stream up again');
    stream = await reconnected(following, lastEventId, fruitless);
    following.onNotice('connected again');
  }
}

/** @param fruitless how many connections in a row brought nothing, so that one that is always closed is not hammered */
async function reconnected(
  following: Following,
  last: string | null,
  fruitless: number,
): Promise<IncomingMessage> {
  const { client, path, query, signal } = following;
  const deadline = Date.now() + patience;
  for (let attempt = fruitless; ; attempt++) {
    await delay(waits[Math.min(attempt, waits.length - 1)], undefined, { signal }).catch(() => {});
    try {
      return await client.stream(path, query, last);
    } catch (error) {
      const mayPass = error instanceof DavitError && passing.includes(error.code);
      if (!mayPass || Date.now() > deadline) throw error;
    }
  }
}

/** The events of one connection; ends, without an error, however the connection ends. */
async function* eventsOf(stream: IncomingMessage): AsyncGenerator<EventSourceMessage> {
  const events: EventSourceMessage[] = [];
  let tooLarge: unknown = null;
  const parser = createParser({
    maxBufferSize: largestEvent,
    onEvent: (event) => events.push(event),
    onError: (error) => {
      if (error.type === 'max-buffer-size-exceeded') tooLarge = error;
    },
  });
  const decoder = new StringDecoder('utf8');
  try {
    for await (const chunk of stream) {
      parser.feed(decoder.write(chunk));
      yield* events.splice(0);
      if (tooLarge !== null) break;
    }
  } catch {
    // The connection broke off, which is no different from an end.
  }
  if (tooLarge !== null) {
    throw new DavitError('agent_unreachable', `the agent sent too large an event: ${errorMessage(tooLarge)}`);
  }
}
