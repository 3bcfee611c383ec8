import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { RunningAgent } from './agent.ts';
import { until } from './system.ts';

interface StreamMessage {
  readonly event: string;
  /** Empty where it has none. */
  readonly id: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever it expects
  readonly data: any;
}

/** A stream of server-sent events as a client sees it, which may pause. */
export class EventStream implements Disposable {
  readonly messages: StreamMessage[] = [];
  readonly response: IncomingMessage;
  /** What would be sent as Last-Event-ID. */
  lastId = '';
  /** How many characters have come. */
  received = 0;
  #rest = '';

  constructor(response: IncomingMessage) {
    this.response = response.setEncoding('utf8');
    response.on('data', (chunk: string) => this.#read(chunk));
    response.on('error', () => {});
  }

  static async open(
    agent: RunningAgent,
    path: string,
    { key = agent.key, after }: { readonly key?: string; readonly after?: string } = {},
  ): Promise<EventStream> {
    const headers = {
      authorization: `Bearer ${key}`,
      ...(after !== undefined && { 'last-event-id': after }),
    };
    const asked = request(agent.url + path, { headers, agent: false }).end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    assert.equal(response.statusCode, 200);
    assert.match(String(response.headers['content-type']), /^text\/event-stream/);
    return new EventStream(response);
  }

  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever it expects
  of(event: string): any[] {
    return this.messages.filter((message) => message.event === event).map(({ data }) => data);
  }

  /** Resolves with the first message of a name that fits, also one from before. */
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever it expects
  async until(event: string, fits: (data: any) => boolean = () => true): Promise<any> {
    await until(`a message ${event} comes that fits`, () => this.of(event).some(fits));
    return this.of(event).find(fits);
  }

  [Symbol.dispose](): void {
    this.response.destroy();
  }

  #read(chunk: string): void {
    this.received += chunk.length;
    const blocks = (this.#rest + chunk).split('\n\n');
    this.#rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
      const [event, id, data] = [field('event'), field('id'), field('data')];
      this.lastId = id ?? this.lastId;
      if (event !== undefined && data !== undefined)
        this.messages.push({ event, id: id ?? '', data: JSON.parse(data) });
    }
  }
}
