import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { ProcessInformation } from '../../src/contract/processes.ts';
import { davitCommand, type RunningAgent, startAgent } from '../helpers/agent.ts';
import { fixture } from '../helpers/processes.ts';

for (const cgroups of ['auto', 'off']) {
  let agent: RunningAgent;
  before(async () => {
    agent = await startAgent({ config: { cgroups } });
  });
  after(() => agent[Symbol.asyncDispose]());

  test(`the whole tree of a service is shown, cgroups: ${cgroups}`, async () => {
    const command = fixture('setsid_child.sh');
    const secret = 'correct-horse-battery';
    const body = { command, env: { TOKEN: secret }, min_uptime: '0s' };
    const { pid } = (await agent.call('POST', '/service/web/deploy', body)).body;
    const path = '/api/v1/services/web/processes';
    const answer = await agent.until('GET', path, ({ process_count }) => process_count === 3);
    assert.equal(answer.service, 'web');
    const [wrapper, main, child] = answer.processes as ProcessInformation[];
    assert.deepEqual([wrapper?.role, main?.role, child?.role], ['wrapper', 'main', 'descendant']);
    assert.deepEqual([main?.pid, main?.parent, main?.command], [pid, wrapper?.pid, command.join(' ')]);
    assert.equal(wrapper?.parent, agent.child.pid);
    assert.equal(main?.threads, 1);
    assert.ok((main?.resident_bytes ?? 0) > 0);
    assert.ok(!JSON.stringify(answer).includes(secret));
    await agent.call('POST', '/service/web/stop');
    assert.deepEqual((await agent.call('GET', path)).body, {
      service: 'web',
      processes: [],
      process_count: 0,
    });
  });

  test(`a service that is not there has no list, cgroups: ${cgroups}`, async () => {
    const { status, body } = await agent.call('GET', '/api/v1/services/nothing/processes');
    assert.deepEqual([status, body.code], [404, 'service_not_found']);
  });
}

test('the command line shows trees, orphans and what is wrong', async () => {
  await using agent = await startAgent();
  const [program, ...first] = davitCommand;
  const env = { PATH: process.env['PATH'], HOME: agent.data, DAVIT_DATA: agent.data };
  const davit = (...words: string[]) => promisify(execFile)(program, [...first, ...words], { env });
  const body = { command: ['sleep', '1000'], min_uptime: '0s', restart: { policy: 'never' } };
  const { pid } = (await agent.call('POST', '/service/web/deploy', body)).body;
  await agent.until(
    'GET',
    '/api/v1/services/web/processes',
    ({ processes }) => processes[1]?.name === 'sleep',
  );
  const shown = new RegExp(`^web\\nPID .* COMMAND\\n${pid} +\\S+ .* sleep 1000\\n$`);
  assert.match((await davit('ps')).stdout, shown);
  assert.match((await davit('ps', 'web')).stdout, shown);
  assert.equal((await davit('orphans')).stdout, 'There are no orphans.\n');
  process.kill(pid, 'SIGKILL');
  await agent.until('GET', '/service/web/status', ({ status }) => status === 'stopped');
  const { code, stdout } = await davit('doctor', '--json').catch((error) => error);
  assert.equal(code, 1);
  const { findings } = JSON.parse(stdout);
  const states = findings.map(({ state, check }: Record<string, string>) => `${check} ${state}`);
  for (const state of ['agent ok', 'orphans ok', 'services problem', 'configuration ok', 'clock ok'])
    assert.ok(states.includes(state), `${state} is not in ${states.join(', ')}`);
});
