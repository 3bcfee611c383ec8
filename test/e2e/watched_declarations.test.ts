import assert from 'node:assert/strict';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { stringify } from 'yaml';
import type { Event } from '../../src/contract/events.ts';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { isRunning, until } from '../helpers/system.ts';

const idles = 'setInterval(() => 0, 1e6)';
const service = `command: [node, -e, "${idles}"]\n`;

let home: string;
let configFile: string;
let agent: RunningAgent;
const file = (...names: string[]) => join(home, ...names);

before(async () => {
  home = mkdtempSync(join(tmpdir(), 'davit-watched-'));
  for (const name of ['declared', 'apps', 'data']) mkdirSync(file(name), { mode: 0o755 });
  configFile = file('agent.yaml');
  configure();
  agent = await startAgent({ configFile, data: file('data') });
});
after(async () => {
  await agent[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

function configure(settings: object = {}): void {
  const folders = { declarations: file('declared'), workspace: file('apps') };
  writeFileSync(configFile, stringify({ listen: '127.0.0.1:0', ...folders, ...settings }));
}

/** Puts a file in place at once, as one should. */
function put(name: string, content: string): void {
  writeFileSync(`${name}.part`, content, { mode: 0o644 });
  renameSync(`${name}.part`, name);
}

function makeFolder(...names: string[]): string {
  mkdirSync(file(...names), { recursive: true, mode: 0o755 });
  return file(...names);
}

async function told(type: Event['type'], part: string): Promise<Event[]> {
  let found: Event[] = [];
  await until(`${type} tells of ${part}`, async () => {
    const { events } = (await agent.call('GET', '/api/v1/events?limit=1000')).body;
    found = events.filter((event: Event) => event.type === type && event.message.includes(part));
    return found.length > 0;
  });
  return found;
}

const running = (id: string) =>
  agent.until('GET', `/service/${id}/status`, ({ status }) => status === 'running');
const specOf = async (id: string) => (await agent.call('GET', `/api/v1/services/${id}`)).body.spec;

test('a declaration that appears is applied, and known by the name of its file', async () => {
  put(file('declared', 'shop.yaml'), `services:\n  web:\n    ${service}`);
  await running('web');
  const [event] = await told('declaration.applied', 'shop.yaml');
  assert.match(event?.message ?? '', /1 done/);
  assert.match(event?.actor ?? '', /^file:/);
  assert.equal((await agent.call('GET', '/api/v1/services/web')).body.declared_in, 'shop');
});

test('a folder of the workspace with a davit.yaml is a service by its name, which runs there', async () => {
  put(
    join(makeFolder('apps', 'My Shop'), 'davit.yaml'),
    `command: ["node", "-e", "${idles}"]\nenv_file: local.env\n`,
  );
  writeFileSync(file('apps', 'My Shop', 'local.env'), 'A=1\n');
  await running('my-shop');
  const { cwd, env_file } = await specOf('my-shop');
  assert.match(cwd, /\/apps\/My Shop$/);
  assert.match(String(env_file), /\/apps\/My Shop\/local\.env$/);
});

test('a folder with a package.json that has "davit" is a service, started as npm would', async () => {
  const folder = makeFolder('apps', 'page');
  put(
    join(folder, 'package.json'),
    JSON.stringify({ scripts: { start: `node -e "${idles}"` }, davit: { user: null } }),
  );
  await running('page');
  assert.deepEqual((await specOf('page')).command, ['npm', 'start']);
});

test('a folder with a package.json of its own kind is left alone', async () => {
  put(
    join(makeFolder('apps', 'library'), 'package.json'),
    '{"name": "library", "scripts": {"start": "exit 1"}}',
  );
  put(join(makeFolder('apps', 'after'), 'davit.yaml'), service);
  await running('after');
  assert.equal((await agent.call('GET', '/service/library/status')).status, 404);
});

test('a change of the file is applied', async () => {
  const { pid } = await running('web');
  put(file('declared', 'shop.yaml'), `services:\n  web: {command: [node, -e, "${idles}"], instances: 2}\n`);
  const two = await agent.until('GET', '/service/web/status', ({ instances }) => instances.running === 2);
  assert.equal(two.pid, pid);
});

test('a file that is half written, or wrong, takes nothing down, and is told once with its place', async () => {
  const { pid } = await running('web');
  put(file('declared', 'shop.yaml'), 'services:\n  web: {command: [node, -e');
  const events = await told('declaration.refused', 'shop.yaml');
  assert.match(events[0]?.message ?? '', /shop\.yaml:\d+:\d+: .*what runs stays as it is/);
  put(file('declared', 'shop.yaml'), 'services:\n  web: {comand: x}\n');
  const [wrong] = await told('declaration.refused', 'services.web.comand');
  assert.match(wrong?.message ?? '', /shop\.yaml:2:3/);
  assert.ok(isRunning(pid));
  assert.equal((await agent.call('GET', '/service/web/status')).body.instances.running, 2);
});

test('a file that was wrong is applied once it is right', async () => {
  put(
    file('declared', 'shop.yaml'),
    `services:\n  web: {command: [node, -e, "${idles}"], env: {RIGHT: "1"}}\n`,
  );
  await until('the spec is the new one', async () => 'RIGHT' in (await specOf('web')).env);
});

test('files that need each other are applied whatever their order', async () => {
  const dependent = `services:\n  a-first: {command: [node, -e, "${idles}"], depends_on: {z-last: started}}\n`;
  put(file('declared', 'a.yaml'), dependent);
  await told('declaration.refused', 'a-first.depends_on.z-last');
  put(file('declared', 'z.yaml'), `services:\n  z-last: {command: [node, -e, "${idles}"]}\n`);
  await running('a-first');
});

test('two files cannot take a service from each other', async () => {
  put(file('declared', 'thief.yaml'), 'services:\n  web: {command: "exit 1"}\n');
  const [event] = await told('declaration.refused', 'thief.yaml');
  assert.match(event?.message ?? '', /"web" is declared in .*shop\.yaml already/);
  rmSync(file('declared', 'thief.yaml'));
});

test('a file that others can write is refused, and so is a link', async () => {
  put(file('declared', 'open.yaml'), 'services:\n  open: {command: "exit 1"}\n');
  chmodSync(file('declared', 'open.yaml'), 0o666);
  await told('declaration.refused', 'open.yaml can be written by others');
  writeFileSync(file('elsewhere.yaml'), 'services:\n  linked: {command: "exit 1"}\n');
  symlinkSync(file('elsewhere.yaml'), file('declared', 'linked.yaml'));
  await told('declaration.refused', 'linked.yaml is a link');
  const folder = makeFolder('apps', 'shared');
  chmodSync(folder, 0o777);
  put(join(folder, 'davit.yaml'), 'command: "exit 1"\n');
  await told('declaration.refused', 'shared can be written by others');
  for (const id of ['open', 'linked', 'shared'])
    assert.equal((await agent.call('GET', `/service/${id}/status`)).status, 404);
  rmSync(folder, { recursive: true });
  for (const name of ['open.yaml', 'linked.yaml']) rmSync(file('declared', name));
});

test('the next agent does not apply again what has not changed, so that what was changed by hand stays', async () => {
  await agent.call('POST', '/service/web/deploy', { env: { BY_HAND: '1' } });
  await agent.end();
  agent = await startAgent({ configFile, data: file('data') });
  put(file('declared', 'marker.yaml'), `services:\n  marker: {command: [node, -e, "${idles}"]}\n`);
  await running('marker');
  assert.ok('BY_HAND' in (await specOf('web')).env);
  put(file('declared', 'shop.yaml'), `services:\n  web: {command: [node, -e, "${idles}"]}\n`);
  await until('the file wins', async () => !('BY_HAND' in (await specOf('web')).env));
});

test('what a file declared stays when it is removed', async () => {
  rmSync(file('declared', 'z.yaml'));
  const [event] = await told('declaration.removed', 'z.yaml');
  assert.match(event?.message ?? '', /what it declared stays/);
  await running('z-last');
});

test('what a file declared is deleted with it where the configuration says so', async () => {
  configure({ declarations_prune: true });
  agent.child.kill('SIGHUP');
  await told('agent.configuration_reloaded', 'declarations_prune');
  rmSync(file('declared', 'marker.yaml'));
  const [event] = await told('declaration.removed', 'marker.yaml');
  assert.match(event?.message ?? '', /what it declared is deleted/);
  await until('it is gone', async () => (await agent.call('GET', '/service/marker/status')).status === 404);
});

test('what lies in a folder that is not watched any more stays', async () => {
  configure({ declarations_prune: true, workspace: null });
  agent.child.kill('SIGHUP');
  await told('agent.configuration_reloaded', 'workspace');
  put(file('declared', 'last.yaml'), `services:\n  last: {command: [node, -e, "${idles}"]}\n`);
  await running('last');
  await running('my-shop');
  assert.equal(readFileSync(join(file('apps', 'My Shop'), 'local.env'), 'utf8'), 'A=1\n');
});
