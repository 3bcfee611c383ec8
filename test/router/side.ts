import { once } from 'node:events';
import { connect } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { RouterSettings } from '../../src/contract/routing_table.ts';
import { FakeDirector } from './fake_director.ts';
import type { OddCase } from './odd_requests.ts';
import { Paths } from './paths.ts';
import { RecordingBackend } from './recording_backend.ts';
import { answersIn, shownRequest } from './shown_traffic.ts';

/** For how long a router waits for the rest of a request, in milliseconds: for longer than a busy machine keeps it from running. */
const patience = 10_000;

export interface Seen {
  readonly requests: readonly string[];
  readonly answers: readonly string[];
}

/** One router and the instance behind it. */
export class Side {
  readonly #paths: Paths;
  readonly #backend: RecordingBackend;
  readonly #director: FakeDirector;
  readonly #port: number;

  private constructor(paths: Paths, backend: RecordingBackend, director: FakeDirector, port: number) {
    this.#paths = paths;
    this.#backend = backend;
    this.#director = director;
    this.#port = port;
  }

  /** @param access_log null: nothing is written down */
  static async start(isFast: boolean, access_log: RouterSettings['access_log'] = null): Promise<Side> {
    const backend = await RecordingBackend.listen();
    const director = new FakeDirector(backend.port);
    director.retries = { attempts: 0, budget_percent: 0 };
    const limits = { header_timeout: patience, idle_timeout: patience, body_timeout: patience };
    const paths = new Paths(director, { isFast, limits, access_log });
    return new Side(paths, backend, director, await paths.listen());
  }

  async try({ pieces }: Pick<OddCase, 'pieces'>): Promise<Seen> {
    this.#backend.requests = [];
    this.#paths.handed.length = 0;
    this.#paths.lines.length = 0;
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', () => {});
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await once(socket, 'connect');
    for (const piece of pieces) {
      socket.write(piece, 'latin1');
      await nextTurn();
    }
    await closed;
    return { requests: this.#backend.requests.map(shownRequest), answers: answersIn(text) };
  }

  /** Places at instances that were not given back. */
  get open(): number {
    return this.#director.open;
  }

  /** What was written down of the last case. */
  get lines(): readonly string[] {
    return this.#paths.lines;
  }

  /** What went to the full path of the last case; null: nothing. */
  get handed(): string | null {
    return this.#paths.handed.at(-1) ?? null;
  }

  async close(): Promise<void> {
    await this.#paths.close();
    this.#backend.close();
  }
}
