import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { Event } from '../../src/contract/events.ts';
import { davitCommand, type RunningAgent, startAgent } from '../helpers/agent.ts';

const run = promisify(execFile);
let agent: RunningAgent;
let all: Event[];
let actor: string;

/** A service that is deployed and stopped, and one that ends by itself; nothing happens after that. */
before(async () => {
  agent = await startAgent({ config: { alerts: { built_in: false } } });
  const spec = { min_uptime: '0s', restart: { policy: 'never' } };
  await agent.call('POST', '/service/web/deploy', { ...spec, command: 'exec sleep 4713' });
  await agent.call('POST', '/service/short/deploy', { ...spec, command: 'exit 3' });
  await agent.call('POST', '/service/web/stop');
  await agent.until(
    'GET',
    '/services',
    ({ short }) => short.status === 'failed' || short.status === 'stopped',
  );
  all = (await agent.call('GET', '/api/v1/events?limit=1000')).body.events;
  actor = all.find(({ type }) => type === 'deployment.started')?.actor ?? '';
});
after(() => agent[Symbol.asyncDispose]());

const events = async (query: string): Promise<Event[]> =>
  (await agent.call('GET', `/api/v1/events?${query}`)).body.events;

test('pages go back to the first event', async () => {
  const seen: Event[] = [];
  for (let page = await events('limit=3'); page.length > 0; ) {
    seen.unshift(...page);
    page = await events(`limit=3&before=${page[0]?.id}`);
  }
  assert.deepEqual(seen, all);
  const [third, ninth] = [all[2]?.id ?? 0, all[8]?.id ?? 0];
  assert.deepEqual(await events(`after=${third}&before=${ninth}`), all.slice(3, 8));
});

test('events are found by type, by several, and by all types of a subject', async () => {
  const of = (fits: (type: string) => boolean) => all.filter(({ type }) => fits(type));
  assert.deepEqual(
    await events('type=service.exited'),
    of((type) => type === 'service.exited'),
  );
  const deployments = of((type) => type.startsWith('deployment.'));
  assert.ok(deployments.length >= 4);
  assert.deepEqual(await events('type=deployment.*'), deployments);
  assert.deepEqual(
    await events('type=deployment.*,agent.started,deployment.started'),
    of((type) => type.startsWith('deployment.') || type === 'agent.started'),
  );
});

test('events are found by who asked for them, and what somebody did is told from what happened by itself', async () => {
  assert.match(actor, /^key:/);
  const byAnyone = await events('actor=any');
  assert.deepEqual(
    byAnyone,
    all.filter((event) => event.actor !== null),
  );
  assert.ok(byAnyone.length > 0 && byAnyone.length < all.length);
  assert.deepEqual(
    await events(`actor=${actor}&service=web`),
    all.filter((event) => event.actor === actor && event.service === 'web'),
  );
  assert.deepEqual(await events('actor=key:nobody'), []);
});

test('events are found by time', async () => {
  const [from, to] = [all[3]?.time ?? '', all[7]?.time ?? ''];
  assert.deepEqual(
    await events(`since=${from}&until=${to}`),
    all.filter(({ time }) => time >= from && time <= to),
  );
  assert.deepEqual(await events('since=1h'), all);
  assert.deepEqual(await events('until=1h'), []);
});

test('what is no condition is refused, and says what would be one', async () => {
  for (const [query, message] of [
    ['type=service.nothing', /must be types of events with commas between them/],
    ['type=nothing.*', /must be types of events/],
    ['type=service.', /must be types of events/],
    ['type=', /must be types of events/],
    ['before=x', /whole number/],
    ['actor=', /actor/],
    ['follow=true&before=7', /before in the query: cannot be used together with follow/],
    ['follow=true&until=1h', /until in the query: cannot be used together with follow/],
  ] as const) {
    const { status, body } = await agent.call('GET', `/api/v1/events?${query}`);
    assert.equal(status, 400, query);
    assert.match(body.error, message);
  }
});

test('a stream has the same conditions', async () => {
  const abort = new AbortController();
  const response = await fetch(`${agent.url}/api/v1/events?follow=true&type=rule.*&actor=any&after=0`, {
    headers: { authorization: `Bearer ${agent.key}` },
    signal: abort.signal,
  });
  await agent.call('POST', '/service/web/start');
  const rule = { id: 'all', match: {}, action: { type: 'redirect', to: 'https://example.org/' } };
  const { status } = await agent.call('POST', '/api/v1/rules', rule);
  assert.equal(status, 201);
  let text = '';
  for await (const part of response.body ?? []) {
    text += Buffer.from(part).toString();
    if (text.includes('event: event')) break;
  }
  abort.abort();
  assert.match(text, /"type":"rule.created"/);
  assert.doesNotMatch(text, /"type":"service/);
});

test('davit events takes the same conditions', async () => {
  const [program, ...first] = davitCommand;
  const env = { PATH: process.env['PATH'], HOME: agent.data, DAVIT_DATA: agent.data };
  const davit = (...words: string[]) => run(program, [...first, 'events', ...words], { env });
  const { stdout } = await davit(
    '--type',
    'deployment.*',
    '--service',
    'web',
    '--since',
    '1h',
    '--actor',
    'any',
  );
  const lines = stdout.trimEnd().split('\n');
  assert.ok(lines.length > 0);
  for (const line of lines) assert.match(line, / deployment\.\w+ web: .*\(key:/);
  const both = await davit('--json', '--type', 'service.exited', '--type', 'agent.started', '--until', '0s');
  const types = new Set(JSON.parse(both.stdout).events.map(({ type }: Event) => type));
  assert.deepEqual([...types].sort(), ['agent.started', 'service.exited']);
  await assert.rejects(davit('--type', 'service.exitd'), {
    code: 2,
    stderr: /did you mean service.exited\?/,
  });
});
