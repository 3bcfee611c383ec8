import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

interface FollowerOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly service: string;
  /** How many lines that are there already are sent first. */
  readonly lines: number;
  readonly onLine: (line: string) => void;
}

/** How long it waits before it connects again, in milliseconds. */
const pause = 20;

/**
 * Follows the log of a service over server-sent events. A stream that breaks off is taken up with the cursor of the last
 * line, as a client of the API does it, until `stop`.
 */
export class LogFollower {
  readonly #options: FollowerOptions;
  readonly #agent = new Agent();
  readonly #done: Promise<void>;
  #request: ClientRequest | null = null;
  #cursor: string | null = null;
  #isStopped = false;
  #connections = 0;
  #refusals = 0;
  #skips = 0;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#done = this.#run();
  }

  /** How often a stream was opened. */
  get connections(): number {
    return this.#connections;
  }

  /** Answers other than a stream; an agent that is not there gives none. */
  get refusals(): number {
    return this.#refusals;
  }

  /** How often the agent said that it left something out. */
  get skips(): number {
    return this.#skips;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#request?.destroy();
    await this.#done;
    this.#agent.destroy();
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      await this.#follow().catch(() => undefined);
      if (!this.#isStopped) await sleep(pause);
    }
  }

  async #follow(): Promise<void> {
    const answer = await this.#connect();
    if (answer.statusCode !== 200) {
      this.#refusals += 1;
      answer.resume();
      return;
    }
    this.#connections += 1;
    let rest = '';
    answer.setEncoding('utf8');
    for await (const chunk of answer as AsyncIterable<string>) {
      const events = (rest + chunk).split('\n\n');
      rest = events.pop() ?? '';
      for (const event of events) this.#take(event);
    }
  }

  #connect(): Promise<IncomingMessage> {
    const { url, headers, service, lines } = this.#options;
    const path = `/service/${service}/logs?follow=true&lines=${lines}`;
    const after = this.#cursor === null ? {} : { 'last-event-id': this.#cursor };
    return new Promise((resolve, reject) => {
      this.#request = request(new URL(path, url), { agent: this.#agent, headers: { ...headers, ...after } })
        .on('response', resolve)
        .on('error', reject)
        .end();
    });
  }

  #take(event: string): void {
    const data = fieldOf(event, 'data: ');
    const id = fieldOf(event, 'id: ');
    if (data === null || id === null) return;
    this.#cursor = id;
    if (fieldOf(event, 'event: ') !== 'line') {
      this.#skips += 1;
      return;
    }
    this.#options.onLine((JSON.parse(data) as { line: string }).line);
  }
}

function fieldOf(event: string, field: string): string | null {
  const line = event.split('\n').find((text) => text.startsWith(field));
  return line === undefined ? null : line.slice(field.length);
}
