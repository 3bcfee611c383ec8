import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { stringify } from 'yaml';
import { tar } from '../artifacts/tar_bytes.ts';
import { type Answer, type RunningAgent, startAgent } from '../helpers/agent.ts';
import { until } from '../helpers/system.ts';

const hole = (name: string) => `$\{${name}}`;

let home: string;
let agent: RunningAgent;
/** A credential that may deploy, and what it may do. */
let pipeline: (method: string, path: string, body?: unknown) => Promise<Answer>;

before(async () => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'davit-e2e-sealed-')));
  mkdirSync(join(home, 'declared'), { mode: 0o755 });
  agent = await startAgent({
    data: join(home, 'data'),
    config: { listen: '127.0.0.1:0', artifacts: join(home, 'files'), declarations: join(home, 'declared') },
  });
  pipeline = await keyFor(agent, { scopes: ['deploy'], services: null });
});
after(async () => {
  await agent[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

async function keyFor(of: RunningAgent, grant: object): Promise<typeof pipeline> {
  const { body } = await of.call('POST', '/api/v1/keys', { name: 'pipeline', ...grant });
  return (method, path, sent) => of.call(method, path, sent, { authorization: `Bearer ${body.key}` });
}

/** Puts a declaration in place on the server, at once. */
function declare(name: string, services: object): void {
  const file = join(home, 'declared', `${name}.yaml`);
  writeFileSync(`${file}.part`, stringify({ services }), { mode: 0o644 });
  renameSync(`${file}.part`, file);
}

const service = {
  command: ['/bin/sh', `${hole('ARTIFACT')}/run.sh`, `version=${hole('parameter.version')}`],
  env: { KEY: 'secret', COLOR: hole('parameter.color') },
  sealed: true,
  min_uptime: '200ms',
  parameters: {
    version: { pattern: 'v\\d+', required: true },
    color: { type: 'enum', values: ['blue', 'green'], default: 'blue' },
  },
  configs: [{ name: 'app', path: '/etc/hostname' }],
};
const program = 'echo "$1 $PARAMETER_VERSION $PARAMETER_COLOR $COLOR"; exec sleep 1000\n';
const archive = (text = '') => tar({ name: 'run.sh', content: `${text}${program}` });

function form(fields: object, bytes = archive()): FormData {
  const data = new FormData();
  data.set('artifact', new Blob([bytes]));
  data.set('spec', JSON.stringify(fields));
  return data;
}

async function upload(id: string, body: FormData, authorization: string) {
  const response = await fetch(`${agent.url}/service/${id}/deploy`, {
    method: 'POST',
    headers: { authorization },
    body,
  });
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever it expects
  return { status: response.status, body: (await response.json()) as any };
}

/** Declares a sealed service on the server, and deploys it as a pipeline would. */
async function sealed(id: string): Promise<string> {
  declare(id, { [id]: service });
  await agent.until('GET', `/api/v1/services/${id}`, (body) => body.spec?.sealed === true);
  const { key } = (await agent.call('POST', '/api/v1/keys', { name: id, scopes: ['deploy'], services: [id] }))
    .body;
  const { status, body } = await upload(id, form({ arguments: { version: 'v1' } }), `Bearer ${key}`);
  assert.equal(status, 200, JSON.stringify(body));
  return `Bearer ${key}`;
}

async function lastLine(id: string): Promise<string> {
  return (await agent.until('GET', `/service/${id}/logs`, ({ lines }) => lines?.length > 0)).lines.at(-1)
    .line;
}

test('a declared service waits for the deploy that brings its files and values, and takes only these', async () => {
  declare('waits', { waits: service });
  await agent.until('GET', '/api/v1/services/waits', (body) => body.spec?.sealed === true);
  assert.equal((await agent.call('GET', '/service/waits/status')).body.status, 'stopped');
  const early = await pipeline('POST', '/api/v1/services/waits/start', {});
  assert.deepEqual([early.status, early.body.code], [400, 'invalid_request']);
  const taken = await pipeline('POST', '/service/waits/deploy', { command: 'id' });
  assert.deepEqual([taken.status, taken.body.code], [403, 'command_sealed']);
  await sealed('waits');
  assert.equal(await lastLine('waits'), 'version=v1 v1 blue blue');
});

test('values are checked, merged, shown, and reach the process as values', async () => {
  const key = await sealed('values');
  const deploy = (given: object) => pipeline('POST', '/service/values/deploy', { arguments: given });
  for (const given of [
    { version: 'v1; id' },
    { version: '' },
    { version: null },
    { color: 'red' },
    { other: 'x' },
  ]) {
    const { status, body } = await deploy(given);
    assert.deepEqual([status, body.code], [400, 'invalid_request'], JSON.stringify(body));
  }
  assert.equal((await deploy({ color: 'green' })).status, 200);
  assert.equal(await lastLine('values'), 'version=v1 v1 green green');
  assert.equal((await upload('values', form({ arguments: { version: 'v2' } }), key)).status, 200);
  assert.equal(await lastLine('values'), 'version=v2 v2 green green');
  const { spec } = (await pipeline('GET', '/api/v1/services/values')).body;
  assert.deepEqual(spec.arguments, { version: 'v2', color: 'green' });
  assert.equal((await pipeline('POST', '/api/v1/services/values/rollback', {})).status, 200);
  assert.equal(await lastLine('values'), 'version=v1 v1 green green');
});

test('a credential of the scope deploy cannot choose what is executed, whatever it tries', async () => {
  const id = 'fortress';
  const key = await sealed(id);
  const before = (await agent.call('GET', `/api/v1/services/${id}`)).body;
  const api = `/api/v1/services/${id}`;
  const evil = { command: 'id > /tmp/evil' };
  const declaration = (fields: object) => ({ source: stringify({ services: { [id]: fields } }) });
  const patches: object[] = [
    evil,
    { ...evil, arguments: {} },
    { command: service.command },
    { sealed: false },
    { sealed: null },
    { parameters: { version: {} } },
    { parameters: null },
    { env: { LD_PRELOAD: '/tmp/evil.so' } },
    { env: { KEY: 'secret' } },
    { env_file: '/tmp/evil' },
    { user: 'root' },
    { cwd: '/tmp' },
    { readiness: { type: 'exec', command: 'id' } },
    { liveness: { type: 'exec', command: ['id'] } },
    { configs: [{ name: 'x', path: '/x', validate: 'id' }] },
    { runner: 'systemd' },
    { type: 'task' },
    { schedule: { cron: '* * * * *' } },
    { restart: { policy: 'never' } },
    { instances: 100 },
    { depends_on: { other: 'started' } },
  ];
  for (const patch of patches) {
    for (const [method, path] of [
      ['POST', `/service/${id}/deploy`],
      ['POST', `${api}/deploy`],
      ['PATCH', api],
    ] as const) {
      const { status, body } = await pipeline(method, path, patch);
      assert.deepEqual(
        [status, body.code],
        [403, 'command_sealed'],
        `${method} ${path} ${JSON.stringify(patch)}`,
      );
      assert.deepEqual(
        body.sealed_fields,
        Object.keys(patch).filter((name) => name !== 'arguments'),
      );
    }
    const uploaded = await upload(id, form(patch), key);
    assert.deepEqual([uploaded.status, uploaded.body.code], [403, 'command_sealed'], JSON.stringify(patch));
  }
  const calls: [string, string, unknown, number?][] = [
    ['POST', `/service/${id}/restart`, evil],
    ['POST', `${api}/restart`, { command: ['id'] }],
    ['DELETE', api, undefined],
    ['PUT', `${api}/configs/app`, { content: 'evil' }],
    ['POST', `${api}/configs/app/rollback`, {}],
    ['POST', '/api/v1/apply', declaration(evil)],
    ['POST', '/api/v1/apply', declaration({ ...service, env: { KEY: '***', COLOR: '***' } })],
    ['POST', '/api/v1/apply', { source: 'name: fortress\nservices: {}\n', prune: true }],
    ['POST', '/api/v1/services', { id, ...evil }, 409],
  ];
  for (const [method, path, body, status = 403] of calls) {
    const answer = await pipeline(method, path, body);
    assert.equal(answer.status, status, `${method} ${path} ${JSON.stringify(answer.body)}`);
    if (status === 403) assert.equal(answer.body.code, 'command_sealed', `${method} ${path}`);
  }
  const batch = [
    { operation: 'deploy', service: id, body: evil },
    { operation: 'restart', service: id, body: evil },
    { operation: 'delete', service: id },
  ];
  const { results } = (await pipeline('POST', '/api/v1/batch', { operations: batch })).body;
  assert.deepEqual(
    results.map((result: { http_status: number }) => result.http_status),
    [403, 403, 403],
  );
  assert.deepEqual(
    await pipeline('POST', '/api/v1/batch', { operations: [] }).then(({ status }) => status),
    400,
  );
  const now = (await agent.call('GET', api)).body;
  assert.deepEqual(now.spec, before.spec);
  assert.equal(now.status.pid, before.status.pid);
  assert.equal(now.declared_in, before.declared_in);
});

test('a rollback leads to no other definition than the present one', async () => {
  const id = 'former';
  assert.equal(
    (await agent.call('POST', `/service/${id}/deploy`, { command: ['sleep', '1000'] })).status,
    200,
  );
  await sealed(id);
  for (const body of [{ release: 1 }, {}]) {
    const back = await pipeline('POST', `/api/v1/services/${id}/rollback`, body);
    assert.deepEqual([back.status, back.body.code], [403, 'command_sealed'], JSON.stringify(back.body));
  }
  assert.equal((await agent.call('POST', `/api/v1/services/${id}/rollback`, { release: 1 })).status, 200);
});

test('who deploys seals nothing; an admin seals, changes, unseals and deletes', async () => {
  const api = '/api/v1/services/admins';
  for (const [path, body] of [
    ['/api/v1/services', { id: 'admins', command: ['sleep', '1000'], sealed: true }],
    ['/service/admins/deploy', { command: ['sleep', '1000'], sealed: true }],
    [
      '/api/v1/apply',
      { source: stringify({ services: { admins: { command: ['sleep', '1000'], sealed: true } } }) },
    ],
  ] as const) {
    const { status, body: answer } = await pipeline('POST', path, body);
    assert.ok(status === 403 || answer.code === 'apply_failed', JSON.stringify(answer));
  }
  assert.equal((await agent.call('GET', api)).status, 404);
  assert.equal(
    (await agent.call('POST', '/service/admins/deploy', { command: ['sleep', '1000'], sealed: true })).status,
    200,
  );
  assert.equal((await pipeline('POST', '/service/admins/deploy', { command: 'id' })).status, 403);
  const operator = await keyFor(agent, { scopes: ['operate'], services: ['admins'] });
  for (const [path, body] of [
    ['stop', {}],
    ['start', {}],
    ['restart', {}],
    ['scale', { instances: 2 }],
  ] as const)
    assert.equal((await operator('POST', `${api}/${path}`, body)).status, 200, path);
  const admin = await keyFor(agent, { scopes: ['admin'], services: ['admins'] });
  assert.equal((await admin('PATCH', api, { command: ['sleep', '2000'] })).status, 200);
  assert.equal((await admin('PATCH', api, { sealed: false })).status, 200);
  assert.equal((await pipeline('DELETE', api)).status, 200);
});

test('an edit of the file keeps what was deployed, and drops values that it no longer defines', async () => {
  const id = 'edited';
  await sealed(id);
  await pipeline('POST', `/service/${id}/deploy`, { arguments: { color: 'green' } });
  const { spec: first } = (await agent.call('GET', `/api/v1/services/${id}`)).body;
  const { color, ...parameters } = service.parameters;
  declare(id, {
    [id]: { ...service, parameters: { ...parameters, color: { ...color, values: ['blue', 'red'] } } },
  });
  const { spec } = await agent.until(
    'GET',
    `/api/v1/services/${id}`,
    (body) => body.spec.parameters.color.values[1] === 'red',
  );
  assert.deepEqual(spec.artifact, first.artifact);
  assert.deepEqual(spec.arguments, { version: 'v1' });
  assert.equal(spec.sealed, true);
  await until('it runs as declared', async () => (await lastLine(id)) === 'version=v1 v1 blue blue');
});

test('a line for a shell that would run a value is refused where it is declared', async () => {
  const { status, body } = await agent.call('POST', '/service/injected/deploy', {
    command: `echo ${hole('parameter.version')}`,
    parameters: { version: {} },
  });
  assert.deepEqual([status, body.code], [400, 'invalid_request']);
  assert.match(body.error, /"\$PARAMETER_VERSION"/);
  const shell = { command: 'echo "$PARAMETER_VERSION"; exec sleep 1000', parameters: { version: {} } };
  const given = { version: '$(id); `id` "quoted"' };
  assert.equal(
    (await agent.call('POST', '/service/quoted/deploy', { ...shell, arguments: given })).status,
    200,
  );
  assert.equal(await lastLine('quoted'), given.version);
  declare('bad', { bad: { ...shell, command: `echo ${hole('parameter.version')}` } });
  await until('it is refused', async () => {
    const { events } = (await agent.call('GET', '/api/v1/events?type=declaration.refused')).body;
    return events.some(({ message }: { message: string }) => message.includes('PARAMETER_VERSION'));
  });
});

test('an agent can take commands from admins and its own files alone', async () => {
  await using strict = await startAgent({ config: { listen: '127.0.0.1:0', require_sealed: true } });
  const deployer = await keyFor(strict, { scopes: ['deploy'], services: null });
  const open = { command: ['sleep', '1000'] };
  assert.equal((await strict.call('POST', '/service/open/deploy', open)).status, 200);
  const closed = { ...open, sealed: true, parameters: { p: {} } };
  assert.equal((await strict.call('POST', '/service/closed/deploy', closed)).status, 200);
  const apply = { source: stringify({ services: { open } }) };
  const calls: [string, string, unknown, number][] = [
    ['POST', '/service/new/deploy', open, 403],
    ['POST', '/api/v1/services', { id: 'new', ...open }, 403],
    ['POST', '/service/open/deploy', { command: 'id' }, 403],
    ['POST', '/service/open/restart', { command: 'id' }, 403],
    ['PATCH', '/api/v1/services/open', { env: { A: '1' } }, 403],
    ['POST', '/service/open/restart', {}, 200],
    ['POST', '/service/closed/deploy', { arguments: { p: 'x' } }, 200],
    ['POST', '/service/closed/deploy', open, 403],
  ];
  for (const [method, path, body, status] of calls) {
    const answer = await deployer(method, path, body);
    assert.equal(answer.status, status, `${path} ${JSON.stringify(answer.body)}`);
    if (status === 403) assert.equal(answer.body.code, 'command_sealed');
  }
  await strict.call('PATCH', '/api/v1/services/open', { env: { A: '1' } });
  const applied = await deployer('POST', '/api/v1/apply', apply);
  assert.equal(applied.body.code, 'apply_failed', JSON.stringify(applied.body));
  assert.equal(applied.body.results[0].error.code, 'command_sealed');
});
