import assert from 'node:assert/strict';
import { HttpClients } from './http_clients.ts';
import type { Stage } from './stage.ts';
import { WebSocketClients } from './websocket_clients.ts';

export interface LoadSize {
  readonly httpClients: number;
  readonly webSockets: number;
}

/** What clients do at the same time, all the while. */
export class Load {
  readonly http: HttpClients;
  readonly webSockets: WebSocketClients;
  #stopped: Promise<unknown> | null = null;

  /** @param broken as of `HttpClients` */
  constructor({ port }: Stage, { httpClients, webSockets }: LoadSize, broken: string) {
    this.http = new HttpClients({ port, count: httpClients, pause: 10 }, broken);
    this.webSockets = new WebSocketClients({ port, count: webSockets, pause: 1_000 });
  }

  /** Everything that has failed so far: must be nothing. */
  assertNothingFailed(): void {
    assert.deepEqual(
      { http: this.http.failures, webSockets: this.webSockets.failures },
      { http: [], webSockets: [] },
    );
  }

  /** Ends all clients in order. Once is enough. */
  async stop(): Promise<void> {
    this.#stopped ??= Promise.all([this.http.stop(), this.webSockets.stop()]);
    await this.#stopped;
  }

  /** What was done, for whoever runs it by hand. */
  toString(): string {
    const { http, webSockets } = this;
    return `${http.answered} requests answered; ${webSockets.echoed} messages echoed, ${webSockets.returns} times told to come back`;
  }
}
