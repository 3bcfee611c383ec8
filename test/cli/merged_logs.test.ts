import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { ended, Person, written } from './davit.ts';
import { fakeAgent } from './fake_agent.ts';

let person: Person;
beforeEach(() => {
  person = new Person();
});
afterEach(() => person[Symbol.dispose]());

const time = '2026-01-31T12:00:00.123Z';
const escape_ = '\u001b';

function logLine(service: string, line: string, instance = 1) {
  return { service, time, stream: 'stdout', line, level: null, release: 1, instance, cursor: '1.1.0' };
}

const lines = [logLine('web', 'a'), logLine('api-long', 'b'), logLine('web', 'c')];
const page = { services: ['api-long', 'web'], lines, truncated: false, before: 'AQx', after: 'AQy' };

test('the lines of several services have their names before them: in a pipe as they are, on a terminal in columns and colours', async () => {
  await using agent = await fakeAgent(() => page);
  agent.describeIn(person.path('data'));
  assert.equal((await person.davit(['logs', 'web', 'api-long'])).out, 'web a\napi-long b\nweb c\n');
  const plain = await person.onTerminal(['logs', 'web', '*long'], 80, { NO_COLOR: '1' });
  assert.equal(plain.out, 'web      a\r\napi-long b\r\nweb      c\r\n');
  const { out } = await person.onTerminal(['logs', 'w*'], 80);
  const name = (colour: number, text: string) => `${escape_}[${colour}m${text}${escape_}[39m`;
  assert.equal(
    out,
    `${name(36, 'web     ')} a\r\n${name(33, 'api-long')} b\r\n${name(36, 'web     ')} c\r\n`,
  );
  assert.deepEqual(
    agent.requests.map(({ path, query }) => [path, query]),
    [
      ['/api/v1/logs', { services: 'web,api-long' }],
      ['/api/v1/logs', { services: 'web,*long' }],
      ['/api/v1/logs', { services: 'w*' }],
    ],
  );
  assert.deepEqual(JSON.parse((await person.davit(['logs', 'web', 'api-long', '--json'])).out), page);
});

test('times, instances and what was skipped are shown service by service, and the next page is told', async () => {
  const several = [logLine('web', 'a'), logLine('web', 'b', 2), logLine('api', 'c')];
  const skipped = [{ service: 'api', bytes: 4096, cursor: '1.4096.0' }];
  await using agent = await fakeAgent(() => ({ ...page, lines: several, truncated: true, skipped }));
  agent.describeIn(person.path('data'));
  const { out, err } = await person.davit(['logs', 'web', 'api', '-t', '--after', 'AQx']);
  assert.equal(out, `web ${time} stdout r1.i1 a\nweb ${time} stdout r1.i2 b\napi ${time} stdout c\n`);
  assert.match(err, /davit: api: 4096 bytes of output before these lines are skipped/);
  assert.match(err, /there are more lines, after these: --after AQy\n/);
  await person.davit(['logs', 'web', 'api', '--instance', '1', '--release', '7']);
  assert.partialDeepStrictEqual(agent.requests.at(-1)?.query, { instance: '1', release: '7' });
  assert.equal((await person.davit(['logs', 'web', '--after', 'AQx'])).code, 2);
  assert.equal((await person.davit(['logs', 'web', '../x'])).code, 2);
  assert.equal((await person.davit(['logs'])).code, 2);
});

test('-f shows what comes of several services, and goes on after a drop', async () => {
  await using agent = await fakeAgent(({ headers }, response) => {
    const last = Number(headers['last-event-id']?.toString().slice(2) ?? 0);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const data = { lines: [logLine('web', `line ${last + 1}`), logLine('api', `line ${last + 1}`)] };
    response.end(`event: lines\nid: AQ${last + 1}\ndata: ${JSON.stringify(data)}\n\n`);
  });
  agent.describeIn(person.path('data'));
  const child = person.start(['logs', 'web', 'api', '-f']);
  const ending = ended(child);
  await written(child, 'stdout', /api line 3\n/);
  child.kill('SIGINT');
  const { code, out } = await ending;
  assert.equal(code, 130);
  assert.match(out, /^web line 1\napi line 1\nweb line 2\napi line 2\nweb line 3\napi line 3\n/);
  assert.deepEqual(agent.requests[0]?.query, { services: 'web,api', follow: 'true' });
});
