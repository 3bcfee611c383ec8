import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Notification } from '../../src/contract/alerts.ts';

type ToldAlert = Notification['alerts'][number];

/** A receiver of notifications in the format of the agent. */
export interface WebhookReceiver {
  readonly url: string;
  /** All that came, oldest first. */
  readonly received: readonly { readonly at: number; readonly notification: Notification }[];
  /** Resolves with the first alert that fits of all that came or comes. */
  told(fits: (alert: ToldAlert) => boolean): Promise<ToldAlert>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function receiveWebhooks(): Promise<WebhookReceiver> {
  const received: { at: number; notification: Notification }[] = [];
  const waiting = new Set<() => void>();
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      received.push({ at: Date.now(), notification: JSON.parse(body) });
      response.end('ok');
      for (const wake of waiting) wake();
      waiting.clear();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
    async told(fits) {
      for (;;) {
        const found = received.flatMap(({ notification }) => notification.alerts).find(fits);
        if (found !== undefined) return found;
        await new Promise<void>((resume) => waiting.add(resume));
      }
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}
