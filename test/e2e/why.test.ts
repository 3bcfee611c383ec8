import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { WhyStep } from '../../src/contract/why.ts';
import { davitCommand, type RunningAgent, startAgent } from '../helpers/agent.ts';

const run = promisify(execFile);

let agent: RunningAgent;
before(async () => {
  agent = await startAgent();
});
after(() => agent[Symbol.asyncDispose]());

async function why(service: string, query = '', headers?: Record<string, string>) {
  const { status, body } = await agent.call(
    'GET',
    `/api/v1/services/${service}/why${query}`,
    undefined,
    headers,
  );
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

function types(chain: readonly WhyStep[]): string[] {
  return chain.map(({ event }) => event.type);
}

test('after a crash loop the chain leads from the failure back to who deployed it', async () => {
  const { status } = await agent.call('POST', '/service/loop/deploy', {
    command: 'echo cannot reach db >&2; exit 3',
    min_uptime: '0s',
    restart: { backoff: { initial: '10ms' }, limit: { count: 2 } },
  });
  assert.equal(status, 200);
  await agent.until('GET', '/service/loop/status', (body) => body.status === 'failed');
  const { chain, chain_ends, state, sentence, instance, last_lines } = await why('loop');
  assert.equal(state, 'failed');
  assert.match(sentence, /^loop is failed\. .*code 3/);
  assert.equal(chain[0].event.type, 'service.failed');
  assert.equal(types(chain).filter((type) => type === 'service.exited').length, 3);
  assert.equal(types(chain).filter((type) => type === 'service.restarting').length, 2);
  assert.equal(chain.at(-1).event.type, 'deployment.started');
  assert.match(chain.at(-1).sentence, /\(by key:\w+\)$/);
  assert.equal(chain_ends, 'begin');
  for (const [index, step] of chain.entries())
    assert.equal(step.event.cause, chain[index + 1]?.event.id ?? null);
  assert.equal(instance, 1);
  assert.equal(last_lines.at(-1).line, 'cannot reach db');
  assert.equal(last_lines.at(-1).stream, 'stderr');
});

test('davit why tells the same in sentences, with the last lines and what to do next', async () => {
  const [program, ...first] = davitCommand;
  const { stdout } = await run(program, [...first, 'why', 'loop'], {
    env: { PATH: process.env['PATH'], HOME: '/nonexistent', DAVIT_DATA: agent.data },
  });
  assert.match(stdout, /^loop is failed\. /);
  assert.match(stdout, /\n {2}\S+Z {2}← Process exited with code 3/);
  assert.match(stdout, /← Deployment of release 1 started \(by key:\w+\)\n/);
  assert.match(stdout, /\nThe last lines of instance 1 \(release 1\):\n {2}cannot reach db\n/);
  assert.match(stdout, /\n {2}davit logs loop --instance 1 /);
});

test('a kill from outside is told with its signal', async () => {
  const deployed = await agent.call('POST', '/service/killed/deploy', {
    command: 'exec sleep 1000',
    min_uptime: '0s',
    restart: { policy: 'never' },
  });
  process.kill(deployed.body.pid, 'SIGKILL');
  await agent.until('GET', '/service/killed/status', ({ pid }) => pid === undefined);
  const { chain } = await why('killed');
  assert.ok(
    chain.some(({ sentence }: WhyStep) => sentence.includes('SIGKILL')),
    JSON.stringify(chain),
  );
});

test('a failed deploy is told with what was tried, and how it ended', async () => {
  await agent.call('POST', '/service/tried/deploy', { command: 'exec sleep 1000', min_uptime: '0s' });
  const { status } = await agent.call('POST', '/service/tried/deploy', {
    command: 'echo no such table; exit 7',
    min_uptime: '10s',
  });
  assert.equal(status, 422);
  const { chain, before: others, state } = await why('tried');
  assert.equal(state, 'running');
  const told = [...chain, ...others].map(({ event }: WhyStep) => event.type);
  assert.ok(told.includes('deployment.failed'), told.join());
  assert.ok(told.includes('deployment.started'), told.join());
});

test('one instance is told on its own, and one that is not there is 404', async () => {
  await agent.call('POST', '/service/many/deploy', {
    command: 'exec sleep 1000',
    instances: 2,
    min_uptime: '0s',
  });
  assert.equal((await agent.call('POST', '/api/v1/services/many/instances/2/restart')).status, 200);
  const one = await why('many', '?instance=1');
  const two = await why('many', '?instance=2');
  assert.ok(one.chain.every(({ event }: WhyStep) => event.instance !== 2));
  assert.ok(two.chain.some(({ sentence }: WhyStep) => /Instance 2.*\(by key:/.test(sentence)));
  const { status, body } = await agent.call('GET', '/api/v1/services/many/why?instance=3');
  assert.deepEqual([status, body.code], [404, 'instance_not_found']);
  assert.equal((await agent.call('GET', '/api/v1/services/many/why?limit=0')).status, 400);
  assert.equal((await agent.call('GET', '/api/v1/services/nobody/why')).status, 404);
});

test('what another service did is told only to who may read it', async () => {
  const stays = { min_uptime: '0s', command: 'exec sleep 1000' };
  await agent.call('POST', '/service/store/deploy', stays);
  await agent.call('POST', '/service/front/deploy', {
    ...stays,
    depends_on: { store: 'started' },
    on_dependency_failure: 'stop',
  });
  await agent.call('POST', '/service/store/stop');
  await agent.until('GET', '/service/front/status', ({ status }) => status === 'pending');
  const all = await why('front');
  assert.ok(
    all.chain.some(({ event }: WhyStep) => event.service === 'store'),
    JSON.stringify(all.chain),
  );
  const made = await agent.call('POST', '/api/v1/keys', {
    name: 'front',
    scopes: ['read'],
    services: ['front'],
  });
  const headers = { authorization: `Bearer ${made.body.key}` };
  const some = await why('front', '', headers);
  assert.equal(some.chain_ends, 'hidden');
  assert.ok([...some.chain, ...some.before].every(({ event }: WhyStep) => event.service === 'front'));
  const other = await agent.call('GET', '/api/v1/services/store/why', undefined, headers);
  assert.equal(other.status, 403);
});
