import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-reload-'));
  file = join(folder, 'davit.yaml');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const first = 'listen: 127.0.0.1:0\nlog_level: info\n';
type Kind = 'reloaded' | 'refused';

/** Every event of that kind so far, once there are so many. */
async function events(agent: RunningAgent, kind: Kind, count: number): Promise<string[]> {
  const path = `/api/v1/events?type=agent.configuration_${kind}&limit=1000`;
  const body = await agent.until('GET', path, (seen) => seen.events.length >= count);
  return body.events.map(({ message }: { message: string }) => message);
}

const information = async (agent: RunningAgent) => (await agent.call('GET', '/api/v1/agent')).body;

test('a file that changes is taken over by itself, and an event tells what changed', async () => {
  writeFileSync(file, first);
  await using agent = await startAgent({ configFile: file });
  writeFileSync(file, `${first}allowed_hosts: [a.example]\n`);
  const [taken] = await events(agent, 'reloaded', 1);
  assert.equal(taken, 'the configuration was read again; changed: allowed_hosts');
  writeFileSync(join(folder, 'new'), 'listen: 127.0.0.1:0\nlog_level: debug\nallowed_hosts: [b.example]\n');
  renameSync(join(folder, 'new'), file);
  assert.equal(
    (await events(agent, 'reloaded', 2))[1],
    'the configuration was read again; changed: log_level, allowed_hosts',
  );
  assert.equal((await information(agent)).log_level, 'debug');
});

test('a link that leads to another folder is a change of the file (as Kubernetes makes it)', async () => {
  for (const [name, hosts] of [
    ['one', 'a.example'],
    ['two', 'b.example'],
  ]) {
    mkdirSync(join(folder, `${name}`));
    writeFileSync(join(folder, `${name}`, 'davit.yaml'), `${first}allowed_hosts: [${hosts}]\n`);
  }
  symlinkSync('one', join(folder, '..data'));
  symlinkSync(join('..data', 'davit.yaml'), file);
  await using agent = await startAgent({ configFile: file });
  symlinkSync('two', join(folder, '..next'));
  renameSync(join(folder, '..next'), join(folder, '..data'));
  const [taken] = await events(agent, 'reloaded', 1);
  assert.match(taken ?? '', /changed: allowed_hosts$/);
});

test('a wrong file is refused once for each content, told by davit info, and changes nothing', async () => {
  writeFileSync(file, first);
  await using agent = await startAgent({ configFile: file });
  writeFileSync(file, `${first}allowed_hosts: [a.example]\nno_such_setting: word-of-the-file\n`);
  const [refused] = await events(agent, 'refused', 1);
  assert.match(
    refused ?? '',
    /^the configuration was not taken over, and nothing has changed: no_such_setting in .*davit\.yaml: is not known/,
  );
  assert.ok((await information(agent)).warnings.includes(refused));
  writeFileSync(file, 'listen: 127.0.0.1:0\nallowed_hosts: [word-of-the-file\n');
  const [, half] = await events(agent, 'refused', 2);
  assert.match(half ?? '', /davit\.yaml: .* at line \d+, column \d+$/);
  assert.ok(
    !half?.includes('word-of-the-file'),
    'what stands in the file is not for everybody who may read events',
  );
  unlinkSync(file);
  assert.match((await events(agent, 'refused', 3))[2] ?? '', /cannot be read: ENOENT/);
  writeFileSync(file, first);
  assert.deepEqual(await events(agent, 'reloaded', 1), [
    'the configuration was read again; changed: nothing',
  ]);
  assert.equal((await events(agent, 'refused', 3)).length, 3);
  const { warnings } = await information(agent);
  assert.ok(!warnings.some((warning: string) => warning.includes('not taken over')));
});

test('what needs a restart is named by the event and by davit info until it is done or undone', async () => {
  writeFileSync(file, first);
  await using agent = await startAgent({ configFile: file });
  const needed = 'listen, body_limit: takes effect at the next restart of the agent';
  writeFileSync(file, 'listen: 127.0.0.1:9\nlog_level: info\nbody_limit: 10B\n');
  const [taken] = await events(agent, 'reloaded', 1);
  assert.equal(taken, `the configuration was read again; changed: listen, body_limit; ${needed}`);
  assert.ok((await information(agent)).warnings.includes(needed));
  const large = await agent.call('PUT', '/api/v1/agent/log_level', { log_level: 'debug' });
  assert.equal(large.status, 200, 'the limit of the start holds');
  writeFileSync(file, 'listen: 127.0.0.1:9\nlog_level: info\nbody_limit: 10B\npass_env: [X]\n');
  const [, again] = await events(agent, 'reloaded', 2);
  assert.equal(again, `the configuration was read again; changed: pass_env; ${needed}`);
  assert.equal((await information(agent)).log_level, 'debug', 'what was set by hand stays');
  writeFileSync(file, first);
  await events(agent, 'reloaded', 3);
  assert.ok(!(await information(agent)).warnings.includes(needed));
});

test('a configuration of which one part cannot be taken over is not taken over at all', async () => {
  writeFileSync(file, first);
  await using agent = await startAgent({ configFile: file });
  const tls = `tls: {cert_file: ${join(folder, 'none.pem')}, key_file: ${join(folder, 'none.key')}}\n`;
  const issuer = `jwt_issuers: [{issuer: i, audience: a, algorithm: HS256, secret_file: ${join(folder, 'none')}, grants: [{claims: {x: y}, scopes: [read]}]}]\n`;
  const others = 'listen: 127.0.0.1:0\nlog_level: error\nallowed_networks: [192.0.2.0/24]\n';
  for (const [count, part] of [tls, issuer].entries()) {
    writeFileSync(file, others + part);
    const refused = await events(agent, 'refused', count + 1);
    assert.match(refused[count] ?? '', /none/);
    const { log_level, warnings } = await information(agent);
    assert.equal(log_level, 'info');
    assert.equal(warnings.filter((warning: string) => warning.includes('next restart')).length, 0);
  }
});

test('SIGHUP takes the file over at once, and that is no second change for who watches it', async () => {
  writeFileSync(file, first);
  await using agent = await startAgent({ configFile: file });
  writeFileSync(file, `${first}allowed_hosts: [a.example]\n`);
  agent.child.kill('SIGHUP');
  await events(agent, 'reloaded', 1);
  writeFileSync(file, `${first}allowed_hosts: [b.example]\n`);
  const seen = await events(agent, 'reloaded', 2);
  assert.deepEqual(
    seen.map((message) => message.split('; ')[1]),
    ['changed: allowed_hosts', 'changed: allowed_hosts'],
  );
});

test('flags and variables win over the file at a reload, too', async () => {
  writeFileSync(file, first);
  const flags = ['--log-level', 'info'];
  await using agent = await startAgent({ configFile: file, flags, env: { DAVIT_CGROUPS: 'off' } });
  writeFileSync(file, 'listen: 127.0.0.1:0\nlog_level: trace\ncgroups: auto\npass_env: [X]\n');
  assert.deepEqual(await events(agent, 'reloaded', 1), [
    'the configuration was read again; changed: pass_env',
  ]);
});
