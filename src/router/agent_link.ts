import { createConnection, type Socket } from 'node:net';
import type { ConnectionFilter } from '../contract/connections.ts';
import type { FromRouter, ToRouter } from '../contract/router_link.ts';
import type { RoutingTable } from '../contract/routing_table.ts';
import { errorMessage } from '../lib/errors.ts';
import { MessageLines } from '../lib/message_lines.ts';
import type { OpenConnections } from './open_connections.ts';
import { checkedTable } from './table_file.ts';

type Message<Type extends FromRouter['type']> = Omit<Extract<FromRouter, { type: Type }>, 'type'>;

interface AgentLinkOptions {
  /** The socket of the agent. */
  readonly file: string;
  readonly hello: () => Message<'hello'>;
  readonly open: OpenConnections;
  /** Has new requests go by a table. Throws when it cannot; then it is refused, and the one before stays. */
  readonly onTable: (table: RoutingTable) => void;
  /** Everything of which the agent does not know yet; all of it, when it knows nothing. Null: nothing has changed. */
  readonly facts: (whole: boolean) => Message<'facts'> | null;
  readonly onProblem: (message: string) => void;
}

/** Bytes of the longest message of an agent: tables are whole. */
const longestMessage = 256 * 2 ** 20;
/** Milliseconds until it is tried again to reach the agent: the first time, and at most. */
const firstWait = 50;
const longestWait = 1_000;
/** How much may wait to be sent, in bytes, until facts wait too: an agent that is halted must not fill our memory. */
const mostUnsent = 4 * 2 ** 20;
/** Characters of a path that are told: clients may send long ones. */
const longestPath = 512;

/** The way to the agent, which may be gone at any time and comes back; the router goes on meanwhile. */
export class AgentLink {
  readonly #options: AgentLinkOptions;
  #socket: Socket | null = null;
  #isConnected = false;
  #isEnded = false;
  #wait = firstWait;
  #retry: NodeJS.Timeout | undefined;

  constructor(options: AgentLinkOptions) {
    this.#options = options;
  }

  /** Connects, and again whenever the agent is gone. */
  begin(): void {
    const socket = createConnection(this.#options.file);
    const lines = new MessageLines(longestMessage);
    this.#socket = socket;
    socket.on('connect', () => this.#greet());
    socket.on('data', (chunk) => this.#read(lines, chunk));
    // An error is followed by the close; that no agent is there is nothing to be told.
    socket.on('error', () => {});
    socket.once('close', () => this.#lost());
  }

  /** Tells the agent what has changed. */
  sendFacts(): void {
    if (!this.#isConnected || (this.#socket?.writableLength ?? 0) > mostUnsent) return;
    const facts = this.#options.facts(false);
    if (facts !== null) this.#send({ type: 'facts', ...facts });
  }

  /** Comes back no more. */
  end(): void {
    this.#isEnded = true;
    clearTimeout(this.#retry);
    this.#socket?.end();
  }

  #greet(): void {
    this.#isConnected = true;
    this.#wait = firstWait;
    this.#send({ type: 'hello', ...this.#options.hello() });
    const facts = this.#options.facts(true);
    if (facts !== null) this.#send({ type: 'facts', ...facts });
  }

  #lost(): void {
    this.#isConnected = false;
    this.#socket = null;
    if (this.#isEnded) return;
    this.#retry = setTimeout(() => this.begin(), this.#wait);
    this.#wait = Math.min(this.#wait * 2, longestWait);
  }

  #read(lines: MessageLines, chunk: Buffer): void {
    try {
      for (const line of lines.read(chunk)) this.#take(JSON.parse(line));
    } catch (error) {
      this.#options.onProblem(`the agent said what cannot be understood: ${errorMessage(error)}`);
      this.#socket?.destroy();
    }
  }

  /** What a later agent says beyond this is none of our business. */
  #take(message: ToRouter): void {
    if (message.type === 'table') this.#takeTable(message.table);
    else if (message.type === 'list') void this.#list(message.query, message.filter, message.limit);
    else if (message.type === 'close')
      this.#send({
        type: 'closed',
        query: message.query,
        count: this.#options.open.close(message.filter),
      });
  }

  #takeTable(given: RoutingTable): void {
    const { epoch = 0, version = 0 } = given;
    try {
      this.#options.onTable(checkedTable(given));
    } catch (error) {
      const message = errorMessage(error);
      this.#options.onProblem(`the table ${version} of the agent is refused: ${message}`);
      this.#send({ type: 'refused', epoch, version, message });
      return;
    }
    // What was under way before the table counts is told before the table is: nothing that drains is thought to be empty.
    const facts = this.#options.facts(false);
    if (facts !== null) this.#send({ type: 'facts', ...facts });
    this.#send({ type: 'applied', epoch, version });
  }

  async #list(query: number, filter: ConnectionFilter, limit: number): Promise<void> {
    const { connections, total } = await this.#options.open.listInTurns(filter, limit);
    const shown = connections.map((each) => ({ ...each, path: each.path?.slice(0, longestPath) ?? null }));
    this.#send({ type: 'connections', query, connections: shown, total });
  }

  #send(message: FromRouter): void {
    this.#socket?.write(`${JSON.stringify(message)}\n`);
  }
}
