import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { type AgentConfiguration, agentConfiguration } from '../../src/contract/agent_configuration.ts';
import { davitCommand, type RunningAgent, startAgent } from '../helpers/agent.ts';

const run = promisify(execFile);
const path = '/api/v1/agent/configuration';
const first = 'listen: 127.0.0.1:0\nlog_level: warn\n';
let folder: string;
let file: string;
let agent: RunningAgent;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'davit-configuration-'));
  file = join(folder, 'davit.yaml');
  writeFileSync(file, first);
  const env = { DAVIT_CGROUPS: 'off', DAVIT_LOG_LEVEL: 'info' };
  agent = await startAgent({ configFile: file, env, flags: ['--no-stop-services'] });
});
after(async () => {
  await agent[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const setting = ({ settings }: AgentConfiguration, wanted: string) =>
  settings.find(({ path }) => path === wanted);

async function davit(...words: string[]): Promise<string> {
  const [program, ...rest] = davitCommand;
  const env = { PATH: process.env['PATH'], HOME: folder, DAVIT_DATA: agent.data };
  return (await run(program, [...rest, ...words], { env })).stdout;
}

test('a running agent says by which settings it runs, and who says them', async () => {
  const { status, body } = await agent.call('GET', path);
  assert.equal(status, 200);
  agentConfiguration.parse(body);
  assert.equal(body.file, file);
  assert.deepEqual([body.pending, body.refused], [[], null]);
  const shown = (wanted: string) => {
    const { value, origin, source } = setting(body, wanted) ?? {};
    return [value, origin, source];
  };
  assert.deepEqual(shown('listen'), ['127.0.0.1:0', 'file', file]);
  assert.deepEqual(shown('log_level'), ['info', 'environment', 'DAVIT_LOG_LEVEL']);
  assert.deepEqual(shown('cgroups'), ['off', 'environment', 'DAVIT_CGROUPS']);
  assert.deepEqual(shown('data'), [agent.data, 'flag', '--data']);
  assert.deepEqual(shown('stop_services'), [false, 'flag', '--no-stop-services']);
  assert.deepEqual(shown('body_limit'), ['1MB', 'default', null]);
  assert.equal((await agent.call('GET', '/api/v1/agent')).body.config_file, file);
});

test('davit settings shows the same', async () => {
  const lines = (await davit('settings')).split('\n');
  assert.ok(lines.some((line) => /^data +\/.* --data$/.test(line)));
  assert.ok(lines.some((line) => /^body_limit +1MB +default$/.test(line)));
  const changed = JSON.parse(await davit('settings', '--changed', '--json'));
  assert.deepEqual(
    changed.settings.map(({ path }: { path: string }) => path),
    ['listen', 'data', 'log_level', 'stop_services', 'cgroups'],
  );
});

test('a reload is shown: what changed, what waits for a restart, and what was refused', async () => {
  writeFileSync(file, 'listen: 127.0.0.1:9\nallowed_hosts: [a.example]\n');
  const waiting = await agent.until('GET', path, ({ pending }) => pending.length > 0);
  assert.deepEqual(waiting.pending, [{ path: 'listen', value: '127.0.0.1:9' }]);
  assert.equal(setting(waiting, 'listen')?.value, '127.0.0.1:0');
  assert.deepEqual(setting(waiting, 'allowed_hosts')?.value, ['a.example']);
  assert.match(await davit('settings'), /warning: listen will be 127\.0\.0\.1:9 after the next restart/);

  writeFileSync(file, 'listen: 127.0.0.1:0\nno_such_setting: 1\n');
  const refused = await agent.until('GET', path, (body) => body.refused !== null);
  assert.match(refused.refused, /^the configuration was not taken over.*no_such_setting/);
  assert.equal(refused.pending.length, 1);
  assert.deepEqual(setting(refused, 'allowed_hosts')?.value, ['a.example']);

  writeFileSync(file, first);
  const mended = await agent.until('GET', path, (body) => body.refused === null);
  assert.deepEqual(mended.pending, []);
});
