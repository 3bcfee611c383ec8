/**
 * Follows one log many times over server-sent events, in a process of its own, and only counts bytes: it must not be
 * slower than who sends. Answers each question over IPC, a number or what to follow, with what
 * came since the one before.
 */
import { Agent, request } from 'node:http';

export interface Following {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly service: string;
  readonly followers: number;
}

export interface Followed {
  /** Streams that are open. */
  readonly open: number;
  readonly bytes: number;
}

let open = 0;
let bytes = 0;

function follow({ url, headers, service, followers }: Following): void {
  const agent = new Agent({ maxSockets: followers });
  const path = `/service/${service}/logs?follow=true&lines=0`;
  for (let count = 0; count < followers; count += 1) {
    request(new URL(path, url), { agent, headers: { ...headers } })
      .on('response', (answer) => {
        if (answer.statusCode === 200) open += 1;
        answer.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
        });
        answer.on('close', () => {
          open -= 1;
        });
      })
      .end();
  }
}

process.on('message', (question: Following | number) => {
  if (typeof question === 'object') follow(question);
  process.send?.({ open, bytes } satisfies Followed);
  bytes = 0;
});
process.on('disconnect', () => process.exit());
