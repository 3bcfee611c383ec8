import type { Socket } from 'node:net';
import type { Connection, ConnectionFilter } from '../contract/connections.ts';
import { type FromRouter, fromRouter, type ToRouter } from '../contract/router_link.ts';
import { MessageLines } from '../lib/message_lines.ts';

/** A table as it is sent. */
export interface PublishedTable {
  readonly epoch: number;
  readonly version: number;
  /** The whole message, without the end of its line. */
  readonly message: string;
}

type Hello = Extract<FromRouter, { type: 'hello' }>;
export type RouterFacts = Extract<FromRouter, { type: 'facts' }>;

/** What a router has answered to `list`. */
export interface Listed {
  readonly connections: Connection[];
  readonly total: number;
}

export interface PeerOptions {
  readonly socket: Socket;
  /** It has said who it is. */
  readonly onHello: (peer: RouterPeer) => void;
  readonly onFacts: (peer: RouterPeer, facts: RouterFacts) => void;
  /** It acts by another table, or has said why it does not. */
  readonly onTable: (peer: RouterPeer) => void;
  readonly onGone: (peer: RouterPeer) => void;
  readonly onProblem: (message: string) => void;
}

/** Bytes of the longest message that a router may send. */
const longestMessage = 32 * 2 ** 20;
/** Milliseconds in which a router must have said who it is. */
const helloTimeout = 10_000;
/** Milliseconds in which it must have answered a question. */
const answerTimeout = 3_000;

/** A router that is connected. What comes from it is checked; whoever breaks the form is cut off. */
export class RouterPeer {
  readonly #options: PeerOptions;
  readonly #lines = new MessageLines(longestMessage);
  readonly #questions = new Map<number, (answer: FromRouter | null) => void>();
  readonly #helloTimer: NodeJS.Timeout;
  #lastQuestion = 0;
  #hello: Hello | null = null;
  #newest: PublishedTable | null = null;
  #waiting: PublishedTable | null = null;
  #isSending = false;
  #told: RouterFacts | null = null;
  /** The table that it acts by; null: none yet. */
  applied: { readonly epoch: number; readonly version: number } | null = null;
  /** The table that it would not act by, and why. */
  refused: { readonly epoch: number; readonly version: number; readonly message: string } | null = null;

  constructor(options: PeerOptions) {
    this.#options = options;
    const { socket } = options;
    this.#helloTimer = setTimeout(() => socket.destroy(), helloTimeout).unref();
    socket.unref();
    socket.on('data', (chunk) => this.#read(chunk));
    // An error is followed by the close.
    socket.on('error', () => {});
    socket.on('drain', () => this.#sendWaiting());
    socket.once('close', () => this.#end());
  }

  /** What it said of itself. Only after `onHello`. */
  get identity(): Hello {
    if (this.#hello === null) throw new Error('the router has not said yet who it is');
    return this.#hello;
  }

  /** What it told last; null: nothing yet. */
  get told(): RouterFacts | null {
    return this.#told;
  }

  /** Sends a table as soon as it has taken the one before; of several that wait, only the newest goes. */
  publish(table: PublishedTable): void {
    if (table === this.#newest) return;
    this.#newest = table;
    this.#waiting = table;
    this.#sendWaiting();
  }

  /** Null: it has not answered in time. */
  async list(filter: ConnectionFilter, limit: number): Promise<Listed | null> {
    const answer = await this.#ask((query) => ({ type: 'list', query, filter, limit }));
    return answer?.type === 'connections' ? answer : null;
  }

  /** How many it closes; null: it has not answered in time. */
  async close(filter: ConnectionFilter): Promise<number | null> {
    const answer = await this.#ask((query) => ({ type: 'close', query, filter }));
    return answer?.type === 'closed' ? answer.count : null;
  }

  cut(): void {
    this.#options.socket.destroy();
  }

  #sendWaiting(): void {
    const { socket } = this.#options;
    if (this.#waiting === null || this.#hello === null || socket.writableNeedDrain || this.#isSending) return;
    const { message } = this.#waiting;
    this.#waiting = null;
    // The callback comes once the other end has taken it: a slow one keeps one table in memory, not many.
    this.#isSending = true;
    socket.write(`${message}\n`, () => {
      this.#isSending = false;
      this.#sendWaiting();
    });
  }

  #ask(question: (query: number) => ToRouter): Promise<FromRouter | null> {
    const query = ++this.#lastQuestion;
    const { socket } = this.#options;
    if (socket.destroyed) return Promise.resolve(null);
    return new Promise((resolve) => {
      const timer = setTimeout(() => answer(null), answerTimeout);
      const answer = (given: FromRouter | null) => {
        clearTimeout(timer);
        this.#questions.delete(query);
        resolve(given);
      };
      this.#questions.set(query, answer);
      socket.write(`${JSON.stringify(question(query))}\n`);
    });
  }

  #read(chunk: Buffer): void {
    try {
      for (const line of this.#lines.read(chunk)) this.#take(fromRouter.parse(JSON.parse(line)));
    } catch (error) {
      this.#options.onProblem(`a router was cut off: ${reasonOf(error)}`);
      this.cut();
    }
  }

  #take(message: FromRouter): void {
    if (message.type === 'hello') this.#takeHello(message);
    else if (this.#hello === null) throw new Error('it did not say first who it is');
    else if (message.type === 'facts') {
      this.#told = message;
      this.#options.onFacts(this, message);
    } else if (message.type === 'applied') {
      this.applied = { epoch: message.epoch, version: message.version };
      this.#options.onTable(this);
    } else if (message.type === 'refused') {
      this.refused = message;
      this.#options.onTable(this);
    } else this.#questions.get(message.query)?.(message);
  }

  #takeHello(hello: Hello): void {
    if (this.#hello !== null) throw new Error('it said twice who it is');
    clearTimeout(this.#helloTimer);
    this.#hello = hello;
    this.applied = hello.table;
    this.#options.onHello(this);
  }

  #end(): void {
    clearTimeout(this.#helloTimer);
    for (const answer of this.#questions.values()) answer(null);
    this.#options.onGone(this);
  }
}

/** In one line, as a list of everything that is wrong with a message would fill many. */
function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ').slice(0, 200);
}
