import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type ListenOptions, type Server } from 'node:net';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { DavitError } from '../../src/lib/errors.ts';
import { listenersIn, readListeners } from '../../src/processes/listeners.ts';
import { Ports } from '../../src/processes/ports.ts';
import { until } from '../helpers/system.ts';

const isLinux = process.platform === 'linux';
const linuxOnly = { skip: !isLinux && 'only Linux tells who listens' };
const none: ReadonlySet<number> = new Set();
const anything = { previous: null, taken: none };

/** Somebody who listens. */
async function listen(t: TestContext, options: ListenOptions): Promise<number> {
  const server: Server = createServer().listen(options);
  t.after(() => server.close());
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

function portsOf(t: TestContext, first: number, last: number): Ports {
  const ports = new Ports({ range: () => ({ first, last }) });
  t.after(() => ports.close());
  return ports;
}

/** A process of its own; `say` resolves with the next line that it prints. */
function start(t: TestContext, args: readonly string[], options = {}) {
  const child: ChildProcess = spawn(process.execPath, args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    ...options,
  });
  t.after(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout ?? assert.fail() })[Symbol.asyncIterator]();
  return { child, next: async () => (await lines.next()).value as string };
}

const taker = resolve(import.meta.dirname, '../fixtures/takes_ports.ts');

test('agents that take two hundred ports each at once never get the same', linuxOnly, async (t) => {
  const agents = [1, 2].map(() => start(t, [taker, '41000', '41599', '200']));
  for (const { next } of agents) assert.equal(await next(), 'ready');
  for (const { child } of agents) child.stdin?.write('go\n');
  const taken: number[] = (
    await Promise.all(agents.map(async ({ next }) => JSON.parse(await next())))
  ).flat();
  assert.equal(new Set(taken).size, 400);
  assert.ok(taken.every((port) => port >= 41_000 && port <= 41_599));
});

test('what an agent took is free again when it has been killed', linuxOnly, async (t) => {
  const agent = start(t, [taker, '41600', '41600', '1']);
  await agent.next();
  agent.child.stdin?.write('go\n');
  assert.equal(await agent.next(), '[41600]');
  const ports = portsOf(t, 41_600, 41_600);
  await assert.rejects(ports.take(anything), { code: 'port_taken' });
  await assert.rejects(ports.claim(41_600), {
    code: 'port_taken',
    message: new RegExp(
      `^port 41600 is taken by another davit agent \\(pid ${agent.child.pid}, user \\w+\\)`,
    ),
  });
  agent.child.kill('SIGKILL');
  await once(agent.child, 'exit');
  assert.equal(await ports.take(anything), 41_600);
});

test('an instance gets the port that it had before, and another one when that is not free', async (t) => {
  const ports = portsOf(t, 41_610, 41_612);
  assert.equal(await ports.take({ previous: 41_611, taken: none }), 41_611);
  assert.notEqual(await ports.take({ previous: 41_611, taken: none }), 41_611);
  ports.release(41_611);
  assert.equal(await ports.take({ previous: 41_611, taken: none }), 41_611);
  ports.release(41_611);
  const other = await ports.take({ previous: 41_611, taken: new Set([41_611]) });
  assert.ok([41_610, 41_612].includes(other));
});

test('many who ask at once get different ports, and nobody gets what is not there', async (t) => {
  const ports = portsOf(t, 41_620, 41_629);
  const asked = Array.from({ length: 12 }, () => ports.take(anything));
  const got = (await Promise.allSettled(asked)).map((end) =>
    end.status === 'fulfilled' ? end.value : end.reason,
  );
  const errors = got.filter((one) => one instanceof DavitError);
  assert.deepEqual(
    errors.map(({ code }) => code),
    ['port_taken', 'port_taken'],
  );
  assert.match(String(errors[0]), /none of the ports 41620 to 41629 is free; set another port_range/);
  assert.equal(new Set(got.filter((one) => typeof one === 'number')).size, 10);
});

test('the range is asked for each time', async (t) => {
  let range = { first: 41_630, last: 41_630 };
  const ports = new Ports({ range: () => range });
  t.after(() => ports.close());
  assert.equal(await ports.take(anything), 41_630);
  range = { first: 41_631, last: 41_631 };
  assert.equal(await ports.take(anything), 41_631);
});

for (const host of ['127.0.0.1', '127.0.0.2', '0.0.0.0', '::1', '::'] as const) {
  test(`a port on which somebody listens on ${host} is not free`, linuxOnly, async (t) => {
    const port = await listen(t, { port: 0, host });
    const ports = portsOf(t, port, port);
    await assert.rejects(ports.take({ previous: port, taken: none }), { code: 'port_taken' });
    await assert.rejects(ports.claim(port), {
      code: 'port_taken',
      fields: { port },
      message: new RegExp(`^port ${port} is taken by .+ \\(pid ${process.pid}, user .+\\)$`),
    });
  });
}

test('a port that a connection only goes out from, or that was closed, is free', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  await portsOf(t, port, port).claim(port);
});

const listener = `require('node:http').createServer().listen(Number(process.argv[1]), '127.0.0.1', function () {
  console.log(this.address().port);
});`;

test(
  'whoever has a port is named: the program, its pid, its user, and the service that it is of',
  linuxOnly,
  async (t) => {
    const env = { ...process.env, DAVIT_SERVICE: 'web' };
    const { child, next } = start(t, ['--title=another', '-e', listener, '0'], { env });
    const port = Number(await next());
    await assert.rejects(portsOf(t, port, port).claim(port), (error: Error) => {
      assert.match(
        error.message,
        new RegExp(
          `^port ${port} is taken by node \\(pid ${child.pid}, user \\w+, service "web" of davit\\)$`,
        ),
      );
      return true;
    });
  },
);

test('who may not see the process is told whose it is', {
  skip: (!isLinux || process.getuid?.() !== 0) && 'only root on Linux can ask as somebody else',
}, async (t) => {
  const port = await listen(t, { port: 0, host: '127.0.0.1' });
  const script = `
    import { Ports } from ${JSON.stringify(resolve(import.meta.dirname, '../../src/processes/ports.ts'))};
    const ports = new Ports({ range: () => ({ first: 1, last: 2 }) });
    process.setuid(65534);
    await ports.claim(${port}).catch((error) => console.log(error.message));`;
  const { next } = start(t, ['--input-type=module', '-e', script]);
  assert.equal(await next(), `port ${port} is taken by a process of user root that this account may not see`);
});

test("a port that was claimed is no one else's until it is released", async (t) => {
  const port = 41_640;
  const ports = portsOf(t, port, port);
  await ports.claim(port);
  await assert.rejects(ports.claim(port), {
    code: 'port_taken',
    message: `port ${port} is taken by another service of this agent`,
  });
  await assert.rejects(ports.take(anything), { code: 'port_taken' });
  ports.release(port);
  ports.release(port);
  await ports.claim(port);
});

test('two who claim the same port at once do not both get it', async (t) => {
  const ports = portsOf(t, 41_641, 41_641);
  const ends = await Promise.allSettled([ports.claim(41_641), ports.claim(41_641), ports.take(anything)]);
  assert.equal(ends.filter(({ status }) => status === 'fulfilled').length, 1);
});

test(
  'the port of an instance that runs already is kept from others though it listens',
  linuxOnly,
  async (t) => {
    const port = await listen(t, { port: 0, host: '127.0.0.1' });
    const ports = portsOf(t, port, port);
    await ports.hold(port);
    await ports.hold(port);
    await assert.rejects(ports.claim(port), /another service of this agent/);
  },
);

test(
  'whoever claims many ports can end, and others can connect to its claims in vain',
  linuxOnly,
  async (t) => {
    const ports = portsOf(t, 41_650, 41_650);
    await ports.claim(41_650);
    const visitor = connect({ path: '\0davit-port-41650' });
    visitor.on('error', () => {});
    await once(visitor, 'close');
    const script = `
    import { Ports } from ${JSON.stringify(resolve(import.meta.dirname, '../../src/processes/ports.ts'))};
    await new Ports({ range: () => ({ first: 41651, last: 41659 }) }).take({ previous: null, taken: new Set() });`;
    const { child } = start(t, ['--input-type=module', '-e', script]);
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  },
);

test('where the system does not tell who listens, it is tried', {
  skip: (!isLinux || process.getuid?.() !== 0) && 'only root on Linux can hide it',
}, async (t) => {
  const port = await listen(t, { port: 0, host: '127.0.0.1' });
  const port6 = await listen(t, { port: 0, host: '::1' });
  const script = `
    import { Ports } from ${JSON.stringify(resolve(import.meta.dirname, '../../src/processes/ports.ts'))};
    const ports = new Ports({ range: () => ({ first: 23000, last: 23999 }) });
    const said = [await ports.take({ previous: ${port}, taken: new Set() })];
    for (const port of [${port}, ${port6}]) await ports.claim(port).catch(({ message }) => said.push(message));
    console.log(JSON.stringify(said));`;
  const hide = 'mount -t tmpfs none /proc || echo not hidden; exec "$@"';
  const program = [process.execPath, '--input-type=module', '-e', script];
  const child = spawn('unshare', ['--mount', 'sh', '-c', hide, 'sh', ...program]);
  t.after(() => child.kill('SIGKILL'));
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  assert.equal(err, '');
  const [free, ...said] = JSON.parse(out);
  assert.ok(free >= 23_000 && free <= 23_999, String(free));
  const taken = (number: number) => `port ${number} is taken by another process`;
  assert.deepEqual(said, [taken(port), taken(port6)]);
});

test('a table of the system is read as it stands', () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000    33        0 4711 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1F91 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000 20 4 30 10 -1
  10: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 99 1 0 100 0 0 10 0
`;
  assert.deepEqual(
    [...listenersIn(table)],
    [
      [8080, [{ inode: '4711', uid: 33 }]],
      [80, [{ inode: '99', uid: 0 }]],
    ],
  );
});

test('the system tells of a listener as soon as it listens, and no longer than that', linuxOnly, async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  assert.equal((await readListeners())?.get(port)?.[0]?.uid, process.getuid?.());
  server.close();
  await until('it is told of no more', async () => !(await readListeners())?.has(port));
});
