import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { freePort } from '../helpers/free_port.ts';
import { isRunning, until } from '../helpers/system.ts';

let agent: RunningAgent;
before(async () => {
  agent = await startAgent();
});
after(() => agent[Symbol.asyncDispose]());

async function answers(port: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    // What is not read holds its connection up.
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}

const nodeServer = `require('node:http').createServer((_, response) => response.end('hello')).listen(process.env.PORT, '127.0.0.1')`;
const hasPython = spawnSync('python3', ['--version']).status === 0;

for (const [what, skip, command] of [
  ['a Node server', false, () => [process.execPath, '-e', nodeServer]],
  [
    'a Python server',
    hasPython ? false : 'python3 is not installed',
    (port: number) => `python3 -m http.server ${port} --bind 127.0.0.1`,
  ],
] as const) {
  test(`${what} is deployed, answers, is restarted on the same port, replaced and stopped`, {
    skip,
  }, async () => {
    const id = what.toLowerCase().replaceAll(' ', '-');
    const port = await freePort();
    const spec = { command: command(port), cwd: '/tmp', env: { PORT: String(port) } };
    const first = await agent.call('POST', `/service/${id}/deploy`, spec);
    assert.equal(first.status, 200, JSON.stringify(first.body));
    await until('it answers', () => answers(port));
    const second = await agent.call('POST', `/service/${id}/restart`);
    assert.equal(second.status, 200, JSON.stringify(second.body));
    assert.notEqual(second.body.pid, first.body.pid);
    await until('it answers again', () => answers(port));
    // A release that fails on that port leaves the one before it answering.
    const failed = await agent.call('POST', `/service/${id}/deploy`, { command: 'echo no; exit 1' });
    assert.equal(failed.status, 422);
    await until('the release before answers', () => answers(port));
    const stopped = await agent.call('POST', `/service/${id}/stop`);
    assert.equal(stopped.status, 200);
    assert.equal(await answers(port), false);
    assert.deepEqual(await agent.tree(id), []);
  });
}

test('a shell script with its helpers is deployed, watched and stopped as a whole', async () => {
  const command = 'sleep 1000 & (while :; do echo tick; sleep 0.05; done) | cat & echo started; wait';
  const { status, body } = await agent.call('POST', '/service/script/deploy', { command });
  assert.equal(status, 200);
  await agent.until('GET', '/service/script/logs?grep=tick', (page) => page.lines.length > 2);
  const tree = await agent.tree('script');
  assert.ok(tree.includes(body.pid) && tree.length >= 4);
  await agent.call('POST', '/service/script/stop');
  assert.deepEqual(tree.filter(isRunning), []);
});
