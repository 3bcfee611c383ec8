import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { AuditRecord } from '../../src/contract/audit.ts';
import { davitCommand, type RunningAgent, startAgent } from '../helpers/agent.ts';

const run = promisify(execFile);
const sleeper = { command: 'exec sleep 4712', min_uptime: '0s' };
let agent: RunningAgent;
let keyId: string;

/** Two services, deployed by the admin and by a key of its own, a refusal and a failure, and what one batch did. */
before(async () => {
  agent = await startAgent();
  const { body } = await agent.call('POST', '/api/v1/keys', { name: 'pipeline', scopes: ['deploy'] });
  keyId = body.id;
  const asPipeline = { authorization: `Bearer ${body.key}` };
  await agent.call('POST', '/service/web/deploy', sleeper, asPipeline);
  await agent.call('POST', '/service/api/deploy', sleeper);
  await agent.call('POST', '/service/web/stop', {}, { authorization: 'Bearer davit_wrong' });
  await agent.call('DELETE', '/api/v1/services/nothing', undefined, asPipeline);
  const operations = ['web', 'api'].map((service) => ({ operation: 'stop', service }));
  await agent.call('POST', '/api/v1/batch', { operations });
  await agent.until('GET', '/api/v1/audit', ({ records }) => records.length === 8);
});
after(() => agent[Symbol.asyncDispose]());

const audit = async (query: string) => (await agent.call('GET', `/api/v1/audit?${query}`)).body;
const shown = async (query: string): Promise<string[]> =>
  (await audit(query)).records.map(({ action, service }: AuditRecord) => `${action} ${service}`);

async function davit(...words: string[]): Promise<string> {
  const [program, ...first] = davitCommand;
  const env = { PATH: process.env['PATH'], HOME: agent.data, DAVIT_DATA: agent.data };
  const { stdout } = await run(program, [...first, ...words], { env });
  return stdout;
}

test('records are found by who, what, which service and how it ended', async () => {
  assert.deepEqual(await shown(`actor=${keyId}`), ['deployService web', 'deleteService nothing']);
  assert.deepEqual(await shown(`actor=key:${keyId}`), await shown(`actor=${keyId}`));
  assert.deepEqual(await shown('actor=somebody'), []);
  assert.deepEqual(await shown('action=deployService'), ['deployService web', 'deployService api']);
  assert.deepEqual(await shown('action=createKey,batch'), ['createKey null', 'batch null']);
  assert.deepEqual(await shown('service=api'), ['deployService api', 'stopService api']);
  assert.deepEqual(await shown('outcome=refused'), ['stopService web']);
  assert.deepEqual(await shown('outcome=failed'), ['deleteService nothing']);
  assert.deepEqual(await shown('outcome=ok&service=web'), ['deployService web', 'stopService web']);
  assert.deepEqual(await shown('since=1h&service=api&action=stopService'), ['stopService api']);
  assert.deepEqual(await shown('until=1h'), []);
  assert.deepEqual(await shown('since=2100-01-01T00:00:00Z'), []);
});

test('a record names its actor for people', async () => {
  const { records } = await audit(`actor=${keyId}&limit=1`);
  assert.deepEqual([records[0].actor, records[0].actor_name], [`key:${keyId}`, 'pipeline']);
  const [refused] = (await audit('outcome=refused')).records;
  assert.deepEqual([refused.actor, refused.actor_name], [null, null]);
});

test('pages go back to the first record, with conditions and without', async () => {
  for (const [query, count] of [
    ['', 8],
    ['outcome=ok', 6],
    ['service=web', 3],
  ] as const) {
    const seen: AuditRecord[] = [];
    for (let next: string | null = ''; next !== null; ) {
      const page = await audit(`${query}&limit=2${next && `&before=${next}`}`);
      seen.unshift(...page.records);
      next = page.next;
    }
    assert.deepEqual(seen, (await audit(query)).records);
    assert.equal(seen.length, count, query);
  }
});

test('what is no condition is refused, and says what would be one', async () => {
  for (const [query, message] of [
    ['action=deployservice', /"deployservice" is not the id of an operation/],
    ['action=deployService,', /ids of operations with commas/],
    ['outcome=bad', /outcome/],
    ['before=1', /must be a cursor that came as `next`/],
    ['since=yesterday', /since/],
    ['service=no service', /service/],
    ['actor=', /actor/],
    ['limit=1001', /from 1 to 1000/],
    ['who=me', /who in the query: is not known/],
  ] as const) {
    const { status, body } = await agent.call('GET', `/api/v1/audit?${query}`);
    assert.equal(status, 400, query);
    assert.match(body.error, message);
  }
});

test('davit audit takes the same conditions', async () => {
  const lines = (await davit('audit', '--actor', keyId, '--outcome', 'ok')).trimEnd().split('\n');
  assert.equal(lines.length, 2);
  assert.match(lines[1] ?? '', new RegExp(`deployService +web +200 .* pipeline \\(key:${keyId}\\)`));
  const json = await davit('audit', '--json', '-n', '3', '--action', 'stopService', '--action', 'batch');
  assert.deepEqual(
    JSON.parse(json).records.map(({ action, service }: AuditRecord) => [action, service]),
    [
      ['stopService', 'web'],
      ['stopService', 'api'],
      ['batch', null],
    ],
  );
  assert.equal(
    JSON.parse(await davit('audit', '--json', '--service', 'api', '--since', '1h', '--until', '0s')).next,
    null,
  );
});
