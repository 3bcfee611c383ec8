import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { type FromRouter, fromRouter } from '../../src/contract/router_link.ts';
import type { RoutingTable } from '../../src/contract/routing_table.ts';
import { AgentLink } from '../../src/router/agent_link.ts';
import { OpenConnections } from '../../src/router/open_connections.ts';
import { until } from '../helpers/system.ts';

const table = { format: 1, epoch: 5, version: 7, settings: {}, services: [], rules: [] };
const noFacts = {
  instances: [],
  connections: 0,
  connections_total: 0,
  unroutable: 0,
  refused: 0,
  problems: [],
};

/** The agent's end of the socket, and a link that leads there. */
class Ends implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'davit-link-'));
  readonly file = join(this.directory, 'agent.sock');
  readonly open = new OpenConnections('a1');
  readonly tables: RoutingTable[] = [];
  readonly problems: string[] = [];
  readonly said: FromRouter[] = [];
  readonly asked: boolean[] = [];
  socket: Socket | null = null;
  refusal: string | null = null;
  readonly link: AgentLink;
  #server: Server | null = null;

  constructor() {
    this.link = new AgentLink({
      file: this.file,
      hello: () => ({ router: 'a1', pid: 1, version: '1.0.0', table: null }),
      open: this.open,
      onTable: (given) => {
        if (this.refusal !== null) throw new Error(this.refusal);
        this.tables.push(given);
      },
      facts: (whole) => {
        this.asked.push(whole);
        return noFacts;
      },
      onProblem: (problem) => this.problems.push(problem),
    });
  }

  async listen(): Promise<void> {
    this.#server = createServer((socket) => {
      this.socket = socket;
      socket.on('error', () => {});
      createInterface({ input: socket }).on('line', (line) =>
        this.said.push(fromRouter.parse(JSON.parse(line))),
      );
    });
    this.#server.listen(this.file);
    await once(this.#server, 'listening');
  }

  /** The agent dies. */
  async die(): Promise<void> {
    this.socket?.destroy();
    this.socket = null;
    this.#server?.close();
    await once(this.#server as Server, 'close');
  }

  tell(message: unknown): void {
    this.socket?.write(`${JSON.stringify(message)}\n`);
  }

  /** Resolves when the router has said so many things. */
  async hears(count: number): Promise<string[]> {
    await until(`${count} messages have come`, () => this.said.length >= count);
    return this.said.map(({ type }) => type);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.link.end();
    if (this.#server?.listening) await this.die();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

test('the router says who it is and all that it knows, and takes the table', async () => {
  await using ends = new Ends();
  await ends.listen();
  ends.link.begin();
  assert.deepEqual(await ends.hears(2), ['hello', 'facts']);
  assert.deepEqual(ends.asked, [true]);
  ends.tell({ type: 'table', table });
  // What was under way is told before the table is said to count.
  assert.deepEqual((await ends.hears(4)).slice(2), ['facts', 'applied']);
  assert.deepEqual(ends.tables, [table]);
  assert.deepEqual(ends.said.at(-1), { type: 'applied', epoch: 5, version: 7 });
});

test('a table that cannot be gone by is refused with the reason', async () => {
  await using ends = new Ends();
  ends.refusal = 'rule x: no such thing';
  await ends.listen();
  ends.link.begin();
  await ends.hears(2);
  ends.tell({ type: 'table', table });
  await ends.hears(3);
  assert.deepEqual(ends.said.at(-1), { type: 'refused', epoch: 5, version: 7, message: ends.refusal });
  ends.tell({ type: 'table', table: { ...table, format: 2, version: 8 } });
  await ends.hears(4);
  assert.deepEqual([ends.said.at(-1)?.type, ends.tables.length], ['refused', 0]);
});

test('the router comes back when the agent was not there yet, and when it has died', async () => {
  await using ends = new Ends();
  ends.link.begin();
  await ends.listen();
  await ends.hears(2);
  for (let death = 1; death <= 3; death++) {
    await ends.die();
    ends.link.sendFacts();
    await ends.listen();
    assert.deepEqual((await ends.hears(2 + 2 * death)).slice(-2), ['hello', 'facts']);
  }
  assert.deepEqual(ends.problems, []);
});

test('what cannot be understood ends the connection, and the router comes back', async () => {
  await using ends = new Ends();
  await ends.listen();
  ends.link.begin();
  await ends.hears(2);
  ends.socket?.write('{nothing\n');
  await ends.hears(4);
  assert.match(ends.problems[0] ?? '', /^the agent said what cannot be understood/);
  // What a later davit may say is none of its business.
  ends.tell({ type: 'something_new' });
  ends.tell({ type: 'table', table });
  await until('the table is taken', () => ends.tables.length === 1);
});

test('connections are listed with paths of an end, and closed', async () => {
  await using ends = new Ends();
  let closed = 0;
  ends.open.add({
    protocol: 'http/1.1',
    client: '10.0.0.1',
    started_at: 0,
    describe: () => ({
      host: 'a.test',
      path: `/${'x'.repeat(10_000)}`,
      service: 'web',
      instance: 1,
      release: 1,
      rule: 'web/1',
      active: false,
      bytes_in: 1,
      bytes_out: 2,
      last_activity: 0,
    }),
    close: () => {
      closed++;
    },
  });
  await ends.listen();
  ends.link.begin();
  await ends.hears(2);
  ends.tell({ type: 'list', query: 3, filter: { service: 'web' }, limit: 10 });
  await ends.hears(3);
  const listed = ends.said.at(-1);
  assert.ok(listed?.type === 'connections');
  assert.deepEqual([listed.query, listed.total, listed.connections[0]?.id], [3, 1, 'a1-1']);
  assert.equal(listed.connections[0]?.path?.length, 512);
  ends.tell({ type: 'close', query: 4, filter: { service: 'other' } });
  ends.tell({ type: 'close', query: 5, filter: { ids: ['a1-1'] } });
  await ends.hears(5);
  assert.deepEqual(ends.said.slice(-2), [
    { type: 'closed', query: 4, count: 0 },
    { type: 'closed', query: 5, count: 1 },
  ]);
  assert.equal(closed, 1);
});

test('an agent that is halted fills no memory with facts', async () => {
  await using ends = new Ends();
  await ends.listen();
  ends.link.begin();
  await ends.hears(2);
  ends.socket?.pause();
  const before = ends.asked.length;
  for (let count = 0; count < 200_000; count++) ends.link.sendFacts();
  const asked = ends.asked.length - before;
  assert.ok(asked < 150_000, `${asked} times facts were sent`);
});
