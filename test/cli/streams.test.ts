import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { ended, Person, written } from './davit.ts';
import { fakeAgent, type Received } from './fake_agent.ts';

let person: Person;
beforeEach(() => {
  person = new Person();
});
afterEach(() => person[Symbol.dispose]());

const escape_ = '\u001b';
const time = '2026-01-31T12:00:00.123Z';

function logLine(line: string, cursor = '1.1.0', stream = 'stdout', release = 1, instance = 1) {
  return { time, stream, line, level: null, release, instance, cursor };
}

function page(...lines: string[]) {
  const shown = lines.map((line) => logLine(line));
  return { service: 'web', lines: shown, truncated: false, before: '1.0.0', after: '1.9.0' };
}

function sent(event: string, id: string | number, data: unknown): string {
  return `event: ${event}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
}

const coloured = `${escape_}[31merror${escape_}[0m ${escape_}[2J${escape_}]0;title\u0007end\r`;

test('lines stand in a pipe exactly as they were written', async () => {
  await using agent = await fakeAgent(() => page(coloured, '', 'Grüße 🚢'));
  agent.describeIn(person.path('data'));
  const { code, out } = await person.davit(['logs', 'web']);
  assert.equal(code, 0);
  assert.equal(out, `${coloured}\n\nGrüße 🚢\n`);
});

test('on a terminal a line keeps its colours and drives nothing', async () => {
  await using agent = await fakeAgent(() => page(coloured));
  agent.describeIn(person.path('data'));
  const { out } = await person.onTerminal(['logs', 'web'], 80);
  assert.equal(out, `${escape_}[31merror${escape_}[0m \\x1b[2J\\x1b]0;title\\x07end${escape_}[0m\r\n`);
  const plain = await person.onTerminal(['logs', 'web'], 80, { NO_COLOR: '1' });
  assert.equal(plain.out, 'error \\x1b[2J\\x1b]0;title\\x07end\r\n');
});

test('timestamps stand before the lines, with the stream', async () => {
  await using agent = await fakeAgent(() => ({ ...page(), lines: [logLine('a', '1.1.0', 'stderr')] }));
  agent.describeIn(person.path('data'));
  assert.equal((await person.davit(['logs', 'web', '-t'])).out, `${time} stderr a\n`);
});

test('every flag of logs becomes a question to the agent', async () => {
  await using agent = await fakeAgent(() => ({ ...page('a'), truncated: true }));
  agent.describeIn(person.path('data'));
  const words = [
    '-n',
    '5',
    '--since',
    '1h',
    '--until',
    '2026-01-31T12:00:00Z',
    '--stream',
    'stderr',
    '--level',
    'warn',
  ];
  const first = await person.davit(['logs', 'web', ...words, '--grep', 'a b&c']);
  assert.match(first.err, /there are more lines, before these/);
  const second = await person.davit(['logs', 'web', '--since', '1h']);
  assert.equal(second.code, 0);
  await person.davit(['logs', 'web']);
  assert.deepEqual(
    agent.requests.map(({ query }) => query),
    [
      {
        lines: '5',
        since: '1h',
        until: '2026-01-31T12:00:00.000Z',
        stream: 'stderr',
        level: 'warn',
        grep: 'a b&c',
      },
      { since: '1h', lines: '10000' },
      {},
    ],
  );
});

test('cursors, release and instance are asked for, and the next page is told', async () => {
  await using agent = await fakeAgent(() => ({ ...page('a'), truncated: true }));
  agent.describeIn(person.path('data'));
  const after = await person.davit(['logs', 'web', '--after', '1.2.3', '--release', '7', '--instance', '2']);
  assert.match(after.err, /there are more lines, after these: --after 1\.9\.0\n/);
  const before = await person.davit(['logs', 'web', '--before', '1.2.3_4.5.6']);
  assert.match(before.err, /there are more lines, before these: --before 1\.0\.0\n/);
  assert.deepEqual(
    agent.requests.map(({ query }) => query),
    [{ after: '1.2.3', release: '7', instance: '2' }, { before: '1.2.3_4.5.6' }],
  );
});

test('what is no cursor is refused before anyone is asked', async () => {
  const { code, err } = await person.davit(['logs', 'web', '--after', 'yesterday']);
  assert.equal(code, 2);
  assert.match(err, /must be a cursor/);
  assert.equal((await person.davit(['logs', 'web', '--after', '1.1.1', '--before', '1.1.1'])).code, 2);
});

test('lines of several releases or instances say whose they are, where that does not change them', async () => {
  const lines = [logLine('a'), logLine('b', '1.2.0', 'stderr', 2), logLine('c', '1.3.0', 'stdout', 2, 3)];
  await using agent = await fakeAgent(() => ({ ...page(), lines }));
  agent.describeIn(person.path('data'));
  assert.equal((await person.davit(['logs', 'web'])).out, 'a\nb\nc\n');
  const { out } = await person.davit(['logs', 'web', '-t']);
  assert.equal(out, `${time} stdout r1.i1 a\n${time} stderr r2.i1 b\n${time} stdout r2.i3 c\n`);
  const shown = await person.onTerminal(['logs', 'web'], 80, { NO_COLOR: '1' });
  assert.equal(shown.out, 'r1.i1 a\r\nr2.i1 b\r\nr2.i3 c\r\n');
});

test('what was skipped is said, of a page and of a stream', async () => {
  const skipped = { bytes: 4096, cursor: '1.4096.0' };
  await using agent = await fakeAgent(({ query }, response) => {
    if (query['follow'] === undefined) return { ...page('a'), skipped };
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(sent('skipped', '9.0.0', { bytes: null, cursor: '9.0.0' }));
    return undefined;
  });
  agent.describeIn(person.path('data'));
  assert.match((await person.davit(['logs', 'web', '--after', '1.0.0'])).err, /4096 bytes of output/);
  const child = person.start(['logs', 'web', '-f']);
  const ending = ended(child);
  await written(child, 'stderr', /some output before these lines is skipped/);
  child.kill('SIGINT');
  assert.equal((await ending).code, 130);
});

test('bytes that are no text and control characters drive no terminal', async () => {
  const line = `nul \u0000 bell \u0007 c1 \u009b31m bad \ufffd osc ${escape_}]52;c;eA==\u0007 back\b`;
  await using agent = await fakeAgent(() => page(line));
  agent.describeIn(person.path('data'));
  const { out } = await person.onTerminal(['logs', 'web'], 80);
  assert.equal(out, 'nul \\x00 bell \\x07 c1 \\x9b31m bad \ufffd osc \\x1b]52;c;eA==\\x07 back\\x08\r\n');
});

test('logs as JSON are the page that the agent answered', async () => {
  await using agent = await fakeAgent(() => page('a'));
  agent.describeIn(person.path('data'));
  assert.deepEqual(JSON.parse((await person.davit(['logs', 'web', '--json'])).out), page('a'));
});

/** Answers a stream that breaks off after every second line. */
function breakingStream({ headers }: Received, response: import('node:http').ServerResponse): void {
  const last = Number(headers['last-event-id'] ?? 0);
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.end(
    [1, 2].map((n) => sent('line', last + n, logLine(`line ${last + n}`, `${last + n}`))).join(''),
  );
}

test('-f shows what comes, goes on after a drop and says so, and ends by Ctrl-C with 130', async () => {
  await using agent = await fakeAgent(breakingStream);
  agent.describeIn(person.path('data'));
  const child = person.start(['logs', 'web', '-f', '--grep', 'line']);
  const ending = ended(child);
  await written(child, 'stdout', /line 5\n/);
  child.kill('SIGINT');
  const { code, out, err } = await ending;
  assert.equal(code, 130);
  assert.match(out, /^line 1\nline 2\nline 3\nline 4\nline 5\n/);
  assert.match(
    err,
    /davit: the connection to the agent ended; taking the stream up again\ndavit: connected again/,
  );
  assert.deepEqual(agent.requests[0]?.query, { grep: 'line', follow: 'true' });
});

test('-f --json is a document a line', async () => {
  await using agent = await fakeAgent(breakingStream);
  agent.describeIn(person.path('data'));
  const child = person.start(['logs', 'web', '-f', '--json']);
  const ending = ended(child);
  await written(child, 'stdout', /"line 3"/);
  child.kill('SIGTERM');
  const { code, out } = await ending;
  assert.equal(code, 143);
  const lines = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).line);
  assert.deepEqual(lines.slice(0, 3), ['line 1', 'line 2', 'line 3']);
});

test('-f ends when whoever reads it has gone', async () => {
  await using agent = await fakeAgent((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const timer = setInterval(() => response.write(sent('line', 1, logLine('x'.repeat(1000)))), 5);
    response.once('close', () => clearInterval(timer));
  });
  agent.describeIn(person.path('data'));
  const child = person.start(['logs', 'web', '-f']);
  child.stdout?.once('data', () => child.stdout?.destroy());
  const code = await new Promise((resolve) => child.once('exit', resolve));
  assert.equal(code, 141);
});

test('-f of a service that is deleted ends with what the agent says', async () => {
  let count = 0;
  await using agent = await fakeAgent((request, response) => {
    if (count++ === 0) return breakingStream(request, response);
    return {
      http_status: 404,
      error: 'there is no service "web"',
      code: 'service_not_found',
      request_id: 'r',
    };
  });
  agent.describeIn(person.path('data'));
  const { code, err } = await person.davit(['logs', 'web', '-f']);
  assert.equal(code, 3);
  assert.match(err, /davit: there is no service "web"/);
});

test('--follow and --until exclude each other', async () => {
  const { code, err } = await person.davit(['logs', 'web', '-f', '--until', '1h']);
  assert.equal(code, 2);
  assert.match(err, /--until <moment>' cannot be used with option '-f, --follow'/);
});

const event = {
  id: 9,
  time,
  type: 'service.exited',
  service: 'web',
  release: 1,
  pid: 7,
  actor: null,
  message: `it ended${escape_}[2J`,
};

test('events are a line each, safe to look at', async () => {
  await using agent = await fakeAgent(() => ({
    events: [event, { ...event, service: null, actor: 'key:a' }],
  }));
  agent.describeIn(person.path('data'));
  const { out } = await person.davit(['events', '-n', '5', '--service', 'web', '--type', 'service.exited']);
  assert.deepEqual(out.split('\n'), [
    '2026-01-31T12:00:00Z service.exited web: it ended\\x1b[2J',
    '2026-01-31T12:00:00Z service.exited: it ended\\x1b[2J (key:a)',
    '',
  ]);
  assert.deepEqual(agent.requests[0]?.query, { limit: '5', service: 'web', type: 'service.exited' });
});

test('events -f follows, as JSON lines too', async () => {
  await using agent = await fakeAgent((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(sent('event', 9, event));
  });
  agent.describeIn(person.path('data'));
  for (const [words, fits] of [
    [['events', '-f'], /exited web/],
    [['events', '-f', '--json'], /"service.exited".*\n/],
  ] as const) {
    const child = person.start(words);
    const ending = ended(child);
    const seen = await written(child, 'stdout', fits);
    if (words.length === 3) assert.deepEqual(JSON.parse(seen), event);
    child.kill('SIGINT');
    assert.equal((await ending).code, 130);
  }
});
