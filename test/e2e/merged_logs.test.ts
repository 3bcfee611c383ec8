import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { after, before, test } from 'node:test';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { EventStream } from '../helpers/event_stream.ts';
import { randomNumbers } from '../helpers/random_request.ts';
import { until } from '../helpers/system.ts';

let agent: RunningAgent;
before(async () => {
  agent = await startAgent({ config: { rate_limits: { authenticated: { requests: 100_000 } } } });
});
after(() => agent[Symbol.asyncDispose]());

interface Line {
  readonly service: string;
  readonly line: string;
  readonly time: string;
  readonly cursor: string;
}

const path = '/api/v1/logs';
/** The cursor before all output of every service. */
const wholeLog = 'AQ';

async function deploy(service: string, command: string, more: object = {}): Promise<void> {
  const { status, body } = await agent.call('POST', `/service/${service}/deploy`, {
    command,
    min_uptime: '0s',
    ...more,
  });
  assert.equal(status, 200, JSON.stringify(body));
}

async function page(query: string) {
  const { status, body } = await agent.call('GET', `${path}?${query}`);
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

/** A page as soon as the times of all its lines have been noted. */
async function settled(query: string) {
  let seen = '';
  await until('the page stays as it is', async () => {
    const before = seen;
    seen = JSON.stringify(await page(query));
    return before === seen;
  });
  return JSON.parse(seen);
}

/** What the agent holds in memory. */
function residentBytes(): number {
  const status = readFileSync(`/proc/${agent.child.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1_024;
}

/** Deploys services that write so many lines, and resolves when all of them are there. */
async function writers(prefix: string, count: number, lines: number, pause = '0'): Promise<string[]> {
  const names = Array.from({ length: count }, (_, n) => `${prefix}-${String(n).padStart(2, '0')}`);
  await Promise.all(
    names.map((name) =>
      deploy(name, `for n in $(seq 1 ${lines}); do echo "${name} $n"; sleep ${pause}; done; exec sleep 1000`),
    ),
  );
  for (const name of names)
    await agent.until('GET', `/service/${name}/logs?lines=10000`, (body) => body.lines.length === lines);
  return names;
}

/** What each service wrote, in the order in which it was given. */
function byService(lines: readonly Line[]): Record<string, string[]> {
  const all: Record<string, string[]> = {};
  for (const { service, line } of lines) {
    all[service] ??= [];
    all[service].push(line);
  }
  return all;
}

function expected(names: readonly string[], lines: number): Record<string, string[]> {
  return Object.fromEntries(
    names.map((name) => [name, Array.from({ length: lines }, (_, n) => `${name} ${n + 1}`)]),
  );
}

function assertInOrder(lines: readonly Line[]): void {
  for (const [n, { time, service }] of lines.entries()) {
    const before = lines[n - 1];
    if (before === undefined) continue;
    assert.ok(before.time < time || (before.time === time && before.service <= service), `line ${n}`);
  }
}

test('the lines of twenty services are merged by time, and read in pages in both directions, each exactly once', async (t) => {
  const names = await writers('merge', 20, 60, '0.01');
  const seed = Number(process.env['DAVIT_TEST_SEED'] ?? Date.now() % 1e9);
  t.diagnostic(`seed ${seed}`);
  const random = randomNumbers(seed);
  const size = () => 1 + Math.floor(random() * 150);
  const all = await settled('services=merge-*&lines=10000');
  assert.equal(all.truncated, false);
  assert.deepEqual(all.services, names);
  assertInOrder(all.lines);
  assert.deepEqual(byService(all.lines), expected(names, 60));

  const back: Line[] = [];
  let cursor = '';
  for (let more = true; more; ) {
    const { lines, before, truncated } = await page(
      `services=merge-*&lines=${size()}${cursor && `&before=${cursor}`}`,
    );
    assertInOrder(lines);
    back.unshift(...lines);
    [cursor, more] = [before, truncated];
  }
  assert.deepEqual(back, all.lines);
  // From the begin on again.
  const forth: Line[] = [];
  for (let more = true; more; ) {
    const { lines, after, truncated } = await page(`services=merge-*&lines=${size()}&after=${cursor}`);
    forth.push(...lines);
    [cursor, more] = [after, truncated];
  }
  assert.deepEqual(
    forth.map(({ service, line }) => `${service} ${line}`),
    all.lines.map(({ service, line }: Line) => `${service} ${line}`),
  );
  // A walk to and fro ends where it began.
  for (let n = 0; n < 20; n++) {
    const here = await page(`services=merge-*&lines=${size()}&before=${cursor}`);
    if (here.lines.length === 0) break;
    const there = await page(`services=merge-*&lines=${here.lines.length}&after=${here.before}`);
    assert.deepEqual(byService(there.lines), byService(here.lines));
    cursor = here.before;
  }
});

test('filters hold for all services, and a line keeps the cursor of its own one', async () => {
  await writers('filter', 3, 30);
  const { lines, truncated } = await page(
    `services=filter-00,filter-02&grep=${encodeURIComponent(' [12]0$')}`,
  );
  assert.equal(truncated, false);
  assert.deepEqual(byService(lines), {
    'filter-00': ['filter-00 10', 'filter-00 20'],
    'filter-02': ['filter-02 10', 'filter-02 20'],
  });
  const own = lines.find(({ line }: Line) => line === 'filter-02 10');
  const next = await agent.call('GET', `/service/filter-02/logs?lines=1&after=${own.cursor}`);
  assert.equal(next.body.lines[0].line, 'filter-02 11');
  const some = await page('services=filter-*&lines=0');
  assert.deepEqual([some.lines, some.truncated], [[], true]);
  const none = await page('services=no-such-*');
  assert.deepEqual([none.lines, none.services, none.truncated], [[], [], false]);
});

test('what cannot be asked is refused with what is wrong', async () => {
  await deploy('refusing', 'exec sleep 1000');
  for (const [query, code] of [
    ['', 'invalid_request'],
    ['services=', 'invalid_request'],
    ['services=a,,b', 'invalid_request'],
    ['services=../etc', 'invalid_request'],
    ['services=refusing&before=12.0.0', 'invalid_request'],
    ['services=refusing&after=AQAQ', 'invalid_request'],
    ['services=refusing&before=AQ&after=AQ', 'invalid_request'],
    ['services=refusing&follow=true&before=AQ', 'invalid_request'],
    ['services=refusing&follow=true&until=1s', 'invalid_request'],
    ['services=refusing&grep=(', 'invalid_request'],
    ['services=refusing&follow=true&grep=(', 'invalid_request'],
    ['services=refusing&download=text&lines=5', 'invalid_request'],
    ['services=refusing&download=text&grep=(', 'invalid_request'],
    ['services=refusing&download=zip', 'invalid_request'],
    ['services=refusin', 'service_not_found'],
    ['services=refusing,never&follow=true', 'service_not_found'],
  ]) {
    const { body } = await agent.call('GET', `${path}?${query}`);
    assert.equal(body.code, code, `${query}: ${JSON.stringify(body)}`);
  }
  const names = Array.from({ length: 51 }, (_, n) => `crowd-${n}`);
  for (const id of names) await agent.call('POST', '/api/v1/services', { id, command: 'true' });
  const { body } = await agent.call('GET', `${path}?services=crowd-*`);
  assert.match(body.error, /means 51 services; at most 50/);
});

test('a confined key reads its own services; others are not there at all', async () => {
  await writers('mine', 2, 3);
  await writers('theirs', 1, 3);
  const { body } = await agent.call('POST', '/api/v1/keys', {
    name: 'confined',
    scopes: ['read'],
    services: ['mine-*'],
  });
  const ask = (query: string) =>
    agent.call('GET', `${path}?${query}`, undefined, { authorization: `Bearer ${body.key}` });
  assert.deepEqual((await ask('services=*')).body.services, ['mine-00', 'mine-01']);
  assert.deepEqual((await ask('services=theirs-*')).body.services, []);
  const refused = (await ask('services=mine-00,theirs-00')).body;
  assert.equal(refused.code, 'service_not_found');
  assert.equal((await ask('services=theirs-0')).body.error, 'there is no service "theirs-0"');
  using stream = await EventStream.open(agent, `${path}?services=*&follow=true`, { key: body.key });
  const { lines } = await stream.until('lines');
  assert.deepEqual(byService(lines), expected(['mine-00', 'mine-01'], 3));
});

test('a stream begins with the last lines, merged, and goes on with what comes, also after it was cut off', async () => {
  const names = await writers('flow', 4, 20);
  let stream = await EventStream.open(agent, `${path}?services=flow-*&follow=true&lines=10`);
  const first = await stream.until('lines');
  assert.deepEqual(
    first.lines.map(({ service, line }: Line) => `${service} ${line}`),
    (await page('services=flow-*&lines=10')).lines.map(({ service, line }: Line) => `${service} ${line}`),
  );
  const seen: Line[] = [];
  for (let round = 0; round < 3; round++) {
    const { lastId } = stream;
    stream[Symbol.dispose]();
    await Promise.all(names.map((name) => deploy(name, `echo "${name} round ${round}"; exec sleep 1000`)));
    stream = await EventStream.open(agent, `${path}?services=flow-*&follow=true`, { after: lastId });
    await until('each has come', () => stream.of('lines').flatMap(({ lines }) => lines).length >= 4);
    seen.push(...stream.of('lines').flatMap(({ lines }) => lines));
  }
  stream[Symbol.dispose]();
  const rounds = (name: string) => [0, 1, 2].map((round) => `${name} round ${round}`);
  assert.deepEqual(byService(seen), Object.fromEntries(names.map((name) => [name, rounds(name)])).valueOf());
});

test('nothing is lost and nothing doubled when the agent is killed and a stream taken up with the next one', async () => {
  await using first = await startAgent();
  const names = ['one', 'two', 'three'];
  const writing = (name: string) =>
    `for n in $(seq 1 150); do echo "${name} $n"; sleep 0.02; done; exec sleep 1000`;
  for (const name of names)
    await first.call('POST', `/service/${name}/deploy`, { command: writing(name), min_uptime: '0s' });
  const before = await EventStream.open(first, `${path}?services=*&follow=true&lines=10000`);
  await until('some have come', () => before.of('lines').flatMap(({ lines }) => lines).length > 100);
  await first.end('SIGKILL');
  await until('the stream has ended', () => before.response.closed);
  await using second = await startAgent({ data: first.data });
  using after = await EventStream.open(second, `${path}?services=*&follow=true`, { after: before.lastId });
  const come = () => [...before.of('lines'), ...after.of('lines')].flatMap(({ lines }) => lines);
  await until('all of them have come', () => come().length >= 450);
  assert.deepEqual(byService(come()), expected(names, 150));
});

test('of a service that is deleted nothing comes any more, of the others everything', async () => {
  await Promise.all(['going-a', 'going-b'].map((name) => deploy(name, `echo '${name} 1'; exec sleep 1000`)));
  using stream = await EventStream.open(agent, `${path}?services=going-*&follow=true`);
  const come = () => stream.of('lines').flatMap(({ lines }) => lines);
  await until('both have come', () => come().length === 2);
  await agent.call('DELETE', '/api/v1/services/going-a');
  await deploy('going-c', `echo 'going-c 1'; exec sleep 1000`);
  await deploy('going-b', `echo 'going-b 2'; exec sleep 1000`);
  await until('the other has come', () => come().length === 3);
  assert.deepEqual(byService(come()), { ...expected(['going-a'], 1), ...expected(['going-b'], 2) });
});

test('at a thousand lines a second nothing is lost, nothing doubled, and few messages are sent', async () => {
  const names = Array.from({ length: 10 }, (_, n) => `fast-${n}`);
  await Promise.all(names.map((name) => deploy(name, 'exec sleep 1000')));
  using stream = await EventStream.open(agent, `${path}?services=fast-*&follow=true&lines=0`);
  await until('it has its place', () => stream.lastId !== '');
  const lines = 300;
  const write = (name: string) =>
    `for n in $(seq 0 10 ${lines - 10}); do seq -f '${name} %g' $((n + 1)) $((n + 10)); sleep 0.1; done; exec sleep 1000`;
  const from = Date.now();
  await Promise.all(names.map((name) => deploy(name, write(name))));
  const come = () => stream.of('lines').flatMap((message) => message.lines);
  await until('all of them have come', () => come().length >= names.length * lines);
  const seconds = (Date.now() - from) / 1_000;
  assert.deepEqual(byService(come()), expected(names, lines));
  const messages = stream.of('lines');
  for (const message of messages) assertInOrder(message.lines);
  assert.ok(messages.length <= 12 * seconds + 10, `${messages.length} messages in ${seconds} s`);
});

test('a reader that stops reading costs no memory, and gets or is told of everything when it reads on', async () => {
  const names = Array.from({ length: 4 }, (_, n) => `flood-${n}`);
  await Promise.all(names.map((name) => deploy(name, 'exec sleep 1000')));
  using stream = await EventStream.open(agent, `${path}?services=flood-*&follow=true&lines=0`);
  await until('it has its place', () => stream.lastId !== '');
  stream.response.pause();
  const before = residentBytes();
  // One writes more than a reader may be behind.
  const write = (name: string) =>
    `seq -f '${name} %010g ${'x'.repeat(1_000)}' 1 ${name === 'flood-0' ? 75_000 : 2_000}; echo '${name} end'; exec sleep 1000`;
  await Promise.all(names.map((name) => deploy(name, write(name))));
  const last = (name: string) => agent.call('GET', `/service/${name}/logs?lines=1`);
  for (const name of names)
    await until(`${name} has written`, async () => (await last(name)).body.lines[0]?.line === `${name} end`);
  const grown = residentBytes() - before;
  assert.ok(grown < 64 * 2 ** 20, `${grown} bytes`);
  stream.response.resume();
  const come = () => byService(stream.of('lines').flatMap(({ lines }) => lines));
  await until('the last lines have come', () =>
    names.every((name) => come()[name]?.at(-1) === `${name} end`),
  );
  for (const name of names.slice(1)) assert.equal(come()[name]?.length, 2_001);
  assert.deepEqual([...new Set(stream.of('skipped').map(({ service }) => service))], ['flood-0']);
});

test('however many follow many services, few files are open at once', async () => {
  await using small = await startAgent({ under: ['prlimit', '--nofile=512'] });
  const names = Array.from({ length: 10 }, (_, n) => `many-${n}`);
  const command = `seq -f 'line %g ${'x'.repeat(200)}' 1 300; exec sleep 1000`;
  await Promise.all(
    names.map((name) => small.call('POST', `/service/${name}/deploy`, { command, min_uptime: '0s' })),
  );
  const all = `${path}?services=many-*&after=${wholeLog}&lines=10000`;
  const { after: end } = await small.until('GET', all, ({ lines }) => lines.length === 3_000);
  // Each wants something else, so that none gets what was read for another.
  const query = `services=many-*&follow=true&after=${wholeLog}`;
  const opened = Array.from({ length: 60 }, (_, n) =>
    EventStream.open(small, `${path}?${query}&since=${n + 1}h`),
  );
  const streams = await Promise.all(opened);
  await until('everybody has come to the end', () => streams.every(({ lastId }) => lastId === end));
  for (const stream of streams) {
    assert.equal(stream.of('lines').flatMap(({ lines }) => lines).length, 3_000);
    stream[Symbol.dispose]();
  }
});

/** A file as it is sent, and its name. */
async function download(query: string): Promise<{ text: string; name: string; type: string }> {
  const answer = await fetch(`${agent.url}${path}?${query}`, {
    headers: { authorization: `Bearer ${agent.key}` },
  });
  assert.equal(answer.status, 200);
  const name = /filename="([^"]+)"/.exec(answer.headers.get('content-disposition') ?? '')?.[1] ?? '';
  return { text: await answer.text(), name, type: answer.headers.get('content-type') ?? '' };
}

test('all that fits can be had as a file of text or of JSON', async () => {
  const names = await writers('file', 3, 500);
  const text = await download('services=file-*&download=text');
  assert.match(text.name, /^davit-file-00\+file-01\+file-02-\d{8}T\d{6}Z\.log$/);
  assert.match(text.type, /^text\/plain/);
  const lines = text.text.trimEnd().split('\n');
  const parsed = lines.map((line) => {
    const [, service = '', own = ''] = /^\S+Z (\S+) stdout (.*)$/.exec(line) ?? [];
    return { service, line: own } as Line;
  });
  assert.deepEqual(byService(parsed), expected(names, 500));
  assert.deepEqual(
    lines,
    lines.toSorted((a, b) =>
      a.slice(0, 24) < b.slice(0, 24) ? -1 : a.slice(0, 24) > b.slice(0, 24) ? 1 : 0,
    ),
  );
  const json = await download('services=file-*,file-00&download=ndjson&grep=file-01');
  assert.match(json.name, /^davit-.*\.ndjson$/);
  const objects: Line[] = json.text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(byService(objects), expected(['file-01'], 500));
  assert.equal((await download('services=file-00&download=text&since=2100-01-01T00:00:00Z')).text, '');
});

test('pages, streams and files hold what one instance wrote, or one release', async () => {
  const command = (word: string) => `echo "${word} $DAVIT_INSTANCE"; exec sleep 1000`;
  await deploy('parts', command('first'), { instances: 2 });
  const all = '/service/parts/logs';
  await agent.until('GET', all, ({ lines }) => lines.length === 2);
  await deploy('parts', command('second'), { instances: 2 });
  await agent.until('GET', all, ({ lines }) => lines.length === 4);
  const linesOf = async (query: string) => {
    const { lines } = (await agent.call('GET', `${path}?services=parts&${query}`)).body;
    return lines.map(({ line }: Line) => line);
  };
  const fileOf = async (query: string) => {
    const { name, text } = await download(`services=parts&download=ndjson&${query}`);
    const lines = text.trimEnd().split('\n');
    return { name, lines: lines.map((line) => JSON.parse(line).line) };
  };
  for (const [query, whose, expected] of [
    ['instance=2', 'i2', ['first 2', 'second 2']],
    ['release=1&instance=1', 'r1.i1', ['first 1']],
  ] as const) {
    assert.deepEqual(await linesOf(query), expected);
    const file = await fileOf(query);
    assert.deepEqual(file.lines, expected);
    assert.ok(file.name.startsWith(`davit-parts.${whose}-`), file.name);
  }
  assert.deepEqual((await linesOf('release=2')).toSorted(), ['second 1', 'second 2']);
  using stream = await EventStream.open(agent, `${path}?services=parts&instance=1&follow=true`);
  const followed = () => stream.of('lines').flatMap(({ lines }) => lines.map(({ line }: Line) => line));
  await until('both have come', () => followed().length >= 2);
  assert.deepEqual(followed(), ['first 1', 'second 1']);
});

test('a file that nobody takes any more is read no further', async () => {
  await deploy('heavy', `yes '${'y'.repeat(200)}' | head -c 30000000; echo; echo end; exec sleep 1000`);
  await agent.until('GET', '/service/heavy/logs?lines=1', (body) => body.lines[0]?.line === 'end');
  const asked = request(`${agent.url}${path}?services=heavy&download=text`, {
    headers: { authorization: `Bearer ${agent.key}` },
    agent: false,
  }).end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  await once(response, 'readable');
  response.destroy();
  const whole = await download('services=heavy&download=text');
  assert.ok(whole.text.endsWith(' heavy stdout end\n'));
  assert.ok(whole.text.length > 30_000_000);
});

test('a file ends with what was written when it was asked for, however slowly it is taken', async () => {
  const large = `'${'z'.repeat(1_000)}\\n'.repeat(20_000)`;
  const small = `'${'z'.repeat(1_000)}\\n'.repeat(20)`;
  const writes = `process.stdout.write(${large}); setInterval(() => process.stdout.write(${small}), 20)`;
  await deploy('endless', `exec node -e "${writes}"`);
  await agent.until('GET', '/service/endless/logs?lines=1', (body) => body.lines.length === 1);
  const asked = request(`${agent.url}${path}?services=endless&download=text`, {
    headers: { authorization: `Bearer ${agent.key}` },
    agent: false,
  }).end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  const begun = Date.now();
  await once(response, 'readable');
  const isLater = (line: Line | undefined) => Date.parse(line?.time ?? '') > begun + 2_000;
  await agent.until('GET', '/service/endless/logs?lines=1', (body) => isLater(body.lines[0]));
  let last = '';
  for await (const chunk of response.setEncoding('utf8')) last = (last + chunk).slice(-2_000);
  const [, time = ''] = /\n(\S+) endless stdout z+\n$/.exec(last) ?? [];
  assert.ok(Date.parse(time) <= begun + 1_000, `the last line is of ${time}`);
});
