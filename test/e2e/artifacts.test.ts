import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { type Entry, tar } from '../artifacts/tar_bytes.ts';
import { davitCommand, type RunningAgent, startAgent } from '../helpers/agent.ts';
import { until } from '../helpers/system.ts';

const isRoot = process.geteuid?.() === 0;
const run = promisify(execFile);

let home: string;
let agent: RunningAgent;
let count = 0;

before(async () => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'davit-e2e-artifacts-')));
  chmodSync(home, 0o755);
  agent = await startAgent({
    data: join(home, 'data'),
    config: {
      listen: '127.0.0.1:0',
      artifacts: join(home, 'files'),
      artifact_limit: '2MB',
      artifacts_kept: 1,
    },
  });
});
after(async () => {
  await agent[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

/** A service that says which of its files it runs, and stays. */
const script = (text: string) =>
  `#!/bin/sh\necho "${text} in $PWD as $(id -u) with $ARTIFACT"\nexec sleep 1000\n`;
const build = (text: string, ...more: Entry[]) =>
  gzipSync(
    tar({ name: 'run.sh', content: script(text), mode: 0o755 }, { name: 'text', content: text }, ...more),
  );
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const newId = () => `artifacts-${++count}`;
const spec = { command: ['./run.sh'], ...(isRoot && { user: 'nobody' }) };

function write(bytes: Buffer): string {
  const file = join(home, `build-${randomBytes(4).toString('hex')}`);
  writeFileSync(file, bytes);
  return file;
}

/** Deploys as any pipeline could, and gives what was answered. */
async function curl(id: string, ...options: string[]) {
  const url = `${agent.url}/service/${id}/deploy`;
  const { stdout } = await run('curl', [
    '-s',
    '-w',
    '\n%{http_code}',
    '-H',
    `X-API-Key: ${agent.key}`,
    ...options,
    url,
  ]);
  const end = stdout.lastIndexOf('\n');
  return { status: Number(stdout.slice(end + 1)), body: JSON.parse(stdout.slice(0, end)) };
}

async function deploy(id: string, bytes: Buffer, fields: object = spec) {
  const answer = await curl(id, '-F', `artifact=@${write(bytes)}`, '-F', `spec=${JSON.stringify(fields)}`);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
}

/** Begins to send a form, all but its end. */
async function slowUpload(id: string, bytes: Buffer) {
  const form = new FormData();
  form.append('spec', JSON.stringify(spec));
  form.append('artifact', new Blob([bytes]));
  const whole = new Response(form);
  const body = Buffer.from(await whole.arrayBuffer());
  const sent = httpRequest(`${agent.url}/service/${id}/deploy`, {
    method: 'POST',
    headers: { 'x-api-key': agent.key, 'content-type': whole.headers.get('content-type') ?? '' },
  });
  const response = once(sent, 'response').then(([message]) => (message as IncomingMessage).resume());
  sent.write(body.subarray(0, -20));
  return { response, end: () => sent.end(body.subarray(-20)) };
}

async function lastLine(id: string): Promise<string> {
  const { lines } = await agent.until('GET', `/service/${id}/logs`, ({ lines }) => lines.length > 0);
  return lines.at(-1).line;
}

const files = (id: string, ...names: string[]) => join(home, 'files', id, ...names);
const present = (folder: string) => (existsSync(folder) ? readdirSync(folder).sort() : []);
const uploads = (id: string) => present(join(home, 'data', 'uploads', id));
const folders = (id: string) => present(files(id)).filter((name) => name !== 'current');

test('curl deploys an archive, and the service runs its files as its own user, from their directory', async () => {
  const id = newId();
  const bytes = build('one');
  await deploy(id, bytes);
  const { uid } = statSync(files(id, 'current', 'run.sh'));
  const directory = realpathSync(files(id, 'current'));
  assert.equal(await lastLine(id), `one in ${directory} as ${uid} with ${directory}`);
  if (isRoot) assert.notEqual(uid, 0);
  assert.equal(statSync(files(id)).mode & 0o777, 0o711);
  assert.equal(statSync(files(id)).uid, process.geteuid?.());
  const { artifacts } = (await agent.call('GET', `/api/v1/services/${id}/artifacts`)).body;
  assert.deepEqual(
    artifacts.map(({ uploaded_at: _, ...facts }: { uploaded_at: string }) => facts),
    [{ sha256: sha256(bytes), size: bytes.length, releases: [1], current: true }],
  );
});

test('a rollback goes back to the files, and current leads there', async () => {
  const id = newId();
  await deploy(id, build('one'));
  const first = readlinkSync(files(id, 'current'));
  await deploy(id, build('two'));
  assert.equal(readFileSync(files(id, 'current', 'text'), 'utf8'), 'two');
  const { status, body } = await agent.call('POST', `/api/v1/services/${id}/rollback`, {});
  assert.equal(status, 200, JSON.stringify(body));
  assert.match(await lastLine(id), /^one in /);
  assert.equal(readlinkSync(files(id, 'current')), first);
  assert.equal(
    (await agent.call('GET', `/api/v1/services/${id}`)).body.spec.artifact.sha256.slice(0, 32),
    first.slice(0, 32),
  );
});

test('a deploy without an archive keeps the files, and one that fails leaves those that run', async () => {
  const id = newId();
  await deploy(id, build('one'));
  const { body } = await agent.call('POST', `/service/${id}/deploy`, { env: { A: '1' } });
  assert.equal(body.release, 2);
  const failing = gzipSync(tar({ name: 'run.sh', content: '#!/bin/sh\nexit 7\n', mode: 0o755 }));
  const failed = await curl(id, '-F', `artifact=@${write(failing)}`);
  assert.deepEqual([failed.status, failed.body.code, failed.body.return_code], [422, 'exited_early', 7]);
  assert.equal(readFileSync(files(id, 'current', 'text'), 'utf8'), 'one');
  assert.equal((await agent.call('GET', `/service/${id}/status`)).body.release, 2);
});

test('davit sends an archive, says what it must be, and is told how it went', async () => {
  const id = newId();
  const [program, ...first] = davitCommand;
  const env = { PATH: process.env['PATH'] ?? '', HOME: home, DAVIT_DATA: join(home, 'data') };
  const davit = (...words: string[]) => run(program, [...first, ...words], { env });
  const { stdout, stderr } = await davit('deploy', id, '--artifact', write(build('cli')), '--', './run.sh');
  assert.match(stdout, /deployed, release 1 as pid \d+/);
  assert.equal(stderr, '');
  assert.match(await lastLine(id), /^cli in /);
  const hostile = write(tar({ name: '../evil' }));
  await assert.rejects(davit('deploy', id, '--artifact', hostile), (error: { stderr: string }) => {
    assert.match(error.stderr, /the archive holds "\.\.\/evil", which leads out of the archive/);
    return true;
  });
  await assert.rejects(davit('deploy', id, '--artifact', home), /is a directory; pack it/);
  await assert.rejects(davit('deploy', id, '--artifact', join(home, 'none')), /cannot be read/);
  const large = write(randomBytes(2_000_001));
  await assert.rejects(
    davit('deploy', id, '--artifact', large),
    /larger than 2000000 bytes \(artifact_limit\)/,
  );
});

test('an archive can be the body itself, of any of the kinds there are, and only what it must be', async () => {
  const id = newId();
  await deploy(id, build('one'));
  const plain = tar({ name: 'run.sh', content: script('two'), mode: 0o755 });
  const types = ['application/x-tar', 'application/gzip', 'application/zstd', 'application/octet-stream'];
  for (const [index, bytes] of [plain, gzipSync(plain), zstdCompressSync(plain), plain].entries()) {
    const type = types[index] ?? '';
    const path = `/service/${id}/deploy?sha256=${sha256(bytes)}`;
    const { status, body } = await send(path, bytes, { 'content-type': type });
    assert.equal(status, 200, JSON.stringify(body));
    const wrong = await send(`${path.slice(0, -4)}0000`, bytes, { 'content-type': type });
    assert.deepEqual([wrong.status, wrong.body.code], [422, 'checksum_mismatch']);
  }
  assert.match(await lastLine(id), /^two in /);
  const odd = await agent.call('POST', `/service/${id}/deploy?sha256=${'0'.repeat(64)}`, { env: {} });
  assert.deepEqual([odd.status, odd.body.code], [400, 'invalid_request']);
});

/** Sends bytes as they are, with a length or in chunks. */
async function send(path: string, bytes: Buffer, headers: Record<string, string> = {}) {
  const request = httpRequest(agent.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${agent.key}`, ...headers },
    agent: false,
  });
  // Where it is refused before all has come, sending may fail; what counts is the answer.
  request.on('error', () => {});
  request.end(bytes);
  const [response] = await once(request, 'response');
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return {
    status: response.statusCode,
    body: JSON.parse(Buffer.concat(chunks).toString()),
    headers: response.headers,
  };
}

test('an upload can come first, and a deploy name it', async () => {
  const id = newId();
  const bytes = build('later');
  const early = await send(`/api/v1/services/${id}/artifact`, bytes);
  assert.deepEqual([early.status, early.body.code], [404, 'service_not_found']);
  await agent.call('POST', '/api/v1/services', { id, ...spec });
  const { status, body } = await send(`/api/v1/services/${id}/artifact?sha256=${sha256(bytes)}`, bytes);
  assert.equal(status, 201);
  assert.deepEqual([body.sha256, body.size, body.service], [sha256(bytes), bytes.length, id]);
  const unknown = await agent.call('POST', `/service/${id}/deploy`, { artifact: { sha256: 'a'.repeat(64) } });
  assert.deepEqual([unknown.status, unknown.body.code], [404, 'artifact_not_found']);
  const deployed = await agent.call('POST', `/service/${id}/deploy`, { artifact: { sha256: sha256(bytes) } });
  assert.equal(deployed.status, 200, JSON.stringify(deployed.body));
  assert.match(await lastLine(id), /^later in /);
});

test('a hostile archive is named, changes nothing and leaves nothing', async () => {
  const id = newId();
  await deploy(id, build('good'));
  const before = { uploads: uploads(id), folders: present(files(id)) };
  const archives: [Buffer, string | undefined, RegExp][] = [
    [tar({ name: `/../..${home}/evil` }), undefined, /absolute path/],
    [tar({ name: 'l', kind: '2', link: home }, { name: 'l/evil' }), 'l', /absolute path/],
    [tar({ name: 'd', kind: '2', link: '.' }, { name: 'd/evil' }), 'd/evil', /below something/],
    [tar({ name: 'h', kind: '1', link: '../../../data/admin.key' }), '../../../data/admin.key', /"\.\."/],
    [tar({ name: 'disk', kind: '4' }), 'disk', /device/],
    [
      gzipSync(Buffer.concat([tar({ name: 'zeros', content: Buffer.alloc(3e8) })]), { level: 1 }),
      undefined,
      /200 times/,
    ],
    [randomBytes(5_000), undefined, /no tar archive/],
  ];
  for (const [bytes, entry, why] of archives) {
    const { status, body } = await curl(id, '-F', `artifact=@${write(bytes)}`);
    assert.deepEqual([status, body.code], [422, 'artifact_refused'], JSON.stringify(body));
    assert.match(body.error, why);
    if (entry !== undefined) assert.equal(body.entry, entry);
  }
  await until('nothing is left', () => uploads(id).length === before.uploads.length);
  assert.deepEqual({ uploads: uploads(id), folders: present(files(id)) }, before);
  assert.equal(existsSync(join(home, 'evil')), false);
  assert.match(await lastLine(id), /^good in /);
});

test('the first deploy of a service with a hostile archive leaves no service, and nothing of it', async () => {
  const id = newId();
  const { status } = await curl(
    id,
    '-F',
    `artifact=@${write(tar({ name: '..' }))}`,
    '-F',
    `spec=${JSON.stringify(spec)}`,
  );
  assert.equal(status, 422);
  assert.equal((await agent.call('GET', `/service/${id}/status`)).status, 404);
  await until('nothing is left', () => !existsSync(files(id)) && uploads(id).length === 0);
});

test('forms that are something else are refused with what would be right', async () => {
  const id = newId();
  const file = write(build('form'));
  const cases: [string[], number, string, RegExp][] = [
    [['-F', `build=@${file}`], 400, 'invalid_request', /file build: artifact is expected/],
    [
      ['-F', `artifact=@${file}`, '-F', 'command=ls'],
      400,
      'invalid_request',
      /field command: spec is expected/,
    ],
    [['-F', `artifact=@${file}`, '-F', 'spec={'], 400, 'invalid_json', /spec is not valid JSON/],
    [['-F', `artifact=@${file}`, '-F', 'spec=[]'], 400, 'invalid_request', /must be an object/],
    [
      ['-F', `artifact=@${file}`, '-F', `artifact=@${file}`],
      400,
      'invalid_request',
      /one artifact and one spec/,
    ],
    [
      ['-F', `artifact=@${file}`, '-F', `spec={"artifact":{"sha256":"${'0'.repeat(64)}"}}`],
      400,
      'invalid_request',
      /does not go with an upload/,
    ],
    [
      ['-F', `artifact=@${file}`, '-F', 'spec={"comand":"ls"}'],
      400,
      'invalid_request',
      /did you mean "command"/,
    ],
    [['-F', `artifact=@${file}`], 400, 'invalid_request', /command.*is missing/],
    [['-H', 'Content-Type: multipart/form-data', '-d', 'x'], 400, 'invalid_request', /boundary/],
    [
      ['-H', 'Content-Type: application/gzip', '-H', 'Content-Encoding: gzip', '-d', 'x'],
      415,
      'unsupported_media_type',
      /Content-Encoding/,
    ],
    [
      ['-F', `artifact=@${file}`, '-F', `spec=<${write(Buffer.alloc(1_100_000, ' '))}`],
      413,
      'body_too_large',
      /body_limit/,
    ],
  ];
  for (const [options, status, code, message] of cases) {
    const answer = await curl(id, ...options);
    assert.deepEqual([answer.status, answer.body.code], [status, code], JSON.stringify(answer.body));
    assert.match(answer.body.error, message);
  }
  await until('nothing is left', () => uploads(id).length === 0);
});

test('an upload that is refused takes nothing from another for the same new service', async () => {
  const id = newId();
  const bytes = build('slow');
  const file = write(bytes);
  const { response, end } = await slowUpload(id, bytes);
  await until('it comes', () => uploads(id).length === 1);
  for (let refused = 0; refused < 3; refused++)
    assert.equal((await curl(id, '-F', `artifact=@${file}`, '-F', 'command=ls')).status, 400);
  await until('theirs are gone', () => uploads(id).length === 1);
  end();
  assert.equal((await response).statusCode, 200);
  assert.match(await lastLine(id), /^slow in /);
});

test('an upload that cannot be kept is held no longer', async () => {
  const id = newId();
  const bytes = build('lost');
  const { response, end } = await slowUpload(id, bytes);
  await until('it comes', () => uploads(id).length === 1);
  rmSync(join(home, 'data', 'uploads', id), { recursive: true });
  end();
  assert.equal((await response).statusCode, 503);
  const refused = await curl(id, '-F', `artifact=@${write(bytes)}`, '-F', 'command=ls');
  assert.equal(refused.status, 400);
  await until('nothing is left', () => !existsSync(join(home, 'data', 'uploads', id)));
});

test('nobody uploads anything who may not deploy, nor more than may be', async () => {
  const id = newId();
  const bytes = randomBytes(1_000_000);
  const { key } = (await agent.call('POST', '/api/v1/keys', { name: 'reads', scopes: ['operate'] })).body;
  const gzip = { 'content-type': 'application/gzip' };
  const cases: [Record<string, string>, number][] = [
    [{ authorization: '' }, 401],
    [{ authorization: `Bearer ${key}` }, 403],
  ];
  for (const [headers, status] of cases)
    assert.equal((await send(`/service/${id}/deploy`, bytes, { ...gzip, ...headers })).status, status);
  assert.deepEqual(uploads(id), []);
  const long = randomBytes(2_000_001);
  for (const headers of [{ 'content-length': String(long.length) }, { 'transfer-encoding': 'chunked' }]) {
    const { status, body } = await send(`/service/${id}/deploy`, long, { ...gzip, ...headers });
    assert.deepEqual([status, body.code], [413, 'body_too_large']);
  }
  const form = await curl(id, '-F', `artifact=@${write(long)}`);
  assert.deepEqual([form.status, form.body.code], [413, 'body_too_large']);
  await until('nothing is left', () => uploads(id).length === 0);
});

test('an upload that breaks off leaves nothing, as a body and in a form', async () => {
  const id = newId();
  const { port } = new URL(agent.url);
  const form = '--x\r\nContent-Disposition: form-data; name="artifact"; filename="a"\r\n\r\n';
  for (const [type, start] of [
    ['application/gzip', ''],
    ['multipart/form-data; boundary=x', form],
  ] as const) {
    const socket = connect(Number(port), '127.0.0.1');
    await once(socket, 'connect');
    const head = `POST /service/${id}/deploy HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${agent.key}\r\n`;
    socket.write(`${head}Content-Type: ${type}\r\nContent-Length: 1000000\r\n\r\n${start}`);
    socket.write(randomBytes(300_000));
    await until('some of it is there', () => uploads(id).some((name) => name.startsWith('.incoming-')));
    socket.resetAndDestroy();
    await until('nothing of it is there', () => uploads(id).length === 0);
  }
});

test('the same Idempotency-Key acts once, also with an archive', async () => {
  const id = newId();
  const file = write(build('once'));
  const options = [
    '-H',
    'Idempotency-Key: upload-once',
    '-F',
    `artifact=@${file}`,
    '-F',
    `spec=${JSON.stringify(spec)}`,
  ];
  const [first, second] = [await curl(id, ...options), await curl(id, ...options)];
  assert.equal(first.status, 200, JSON.stringify(first.body));
  assert.deepEqual(second, first);
  assert.equal((await agent.call('GET', `/api/v1/services/${id}/releases`)).body.releases.length, 1);
  const other = await curl(
    id,
    '-H',
    'Idempotency-Key: upload-once',
    '-F',
    `artifact=@${write(build('other'))}`,
  );
  assert.deepEqual([other.status, other.body.code], [409, 'idempotency_conflict']);
});

test('old archives go, but for those that run; a rollback to one that is gone says so; with the service goes all', async () => {
  const id = newId();
  for (const text of ['one', 'two', 'three']) await deploy(id, build(text));
  await until('the oldest is gone', () => folders(id).length === 2 && uploads(id).length === 2);
  assert.equal(readFileSync(files(id, 'current', 'text'), 'utf8'), 'three');
  const gone = await agent.call('POST', `/api/v1/services/${id}/rollback`, { release: 1 });
  assert.deepEqual([gone.status, gone.body.code], [404, 'artifact_not_found']);
  assert.match(await lastLine(id), /^three in /);
  // What runs is not what is current.
  const patch = { artifact: null, command: ['sleep', '1000'] };
  assert.equal((await agent.call('PATCH', `/api/v1/services/${id}`, patch)).status, 200);
  for (const text of ['four', 'five']) await send(`/api/v1/services/${id}/artifact`, build(text));
  await until('of those that never ran, one is kept', () => uploads(id).length === 3);
  assert.equal(existsSync(files(id, 'current')), false);
  assert.equal(folders(id).length, 2);
  await agent.call('DELETE', `/api/v1/services/${id}`);
  assert.equal(existsSync(files(id)), false);
  assert.deepEqual(uploads(id), []);
});

test('placeholders lead to the files, and without files they are refused', async () => {
  const id = newId();
  const hole = ['$', '{ARTIFACT}'].join('');
  const bytes = build('here', { name: 'sub/dir/', kind: '5' });
  await deploy(id, bytes, {
    ...spec,
    command: `"${hole}/run.sh" && exit 1`,
    cwd: `${hole}/sub/dir`,
    env: { PLACE: `${hole}/text` },
    readiness: { type: 'exec', command: ['test', '-f', `${hole}/text`] },
  });
  assert.match(await lastLine(id), /^here in .*\/sub\/dir as/);
  const { status, body } = await agent.call('POST', `/service/${id}/deploy`, { artifact: null });
  assert.deepEqual([status, body.code], [400, 'invalid_request']);
  assert.deepEqual(body.details.map(({ path }: { path: string }) => path).sort(), [
    'command',
    'cwd',
    'env.PLACE',
    'readiness.command.2',
  ]);
  for (const cwd of [`${hole}/..`, `${hole}/a/../../b`, `${hole}x`, 'relative'])
    assert.equal((await agent.call('POST', `/service/${id}/deploy`, { cwd })).status, 400, cwd);
});

test('an agent that is killed leaves nothing half done, and the next one runs the same files', async () => {
  const place = join(home, 'killed');
  const config = { listen: '127.0.0.1:0', artifacts: join(home, 'killed-files') };
  const first = await startAgent({ data: place, config });
  const api = { authorization: `Bearer ${first.key}` };
  const form = new FormData();
  form.set('artifact', new Blob([build('stays')]));
  form.set('spec', JSON.stringify(spec));
  const deployed = await fetch(`${first.url}/service/killed/deploy`, {
    method: 'POST',
    headers: api,
    body: form,
  });
  assert.equal(deployed.status, 200);
  const socket = connect(Number(new URL(first.url).port), '127.0.0.1').on('error', () => {});
  socket.write(
    `POST /service/killed/deploy HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${first.key}\r\n` +
      `Content-Type: application/gzip\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(100_000)}`,
  );
  const incoming = join(place, 'uploads', 'killed');
  await until('it comes in', () => present(incoming).some((name) => name.startsWith('.incoming-')));
  await first.end('SIGKILL');
  mkdirSync(join(config.artifacts, 'killed', '.unpacking-0000'));
  mkdirSync(join(config.artifacts, 'gone', '.unpacking-0000'), { recursive: true });
  await using second = await startAgent({ data: place, config });
  assert.equal(present(incoming).length, 1);
  assert.deepEqual(present(config.artifacts), ['.davit-agent', 'killed']);
  assert.equal(present(join(config.artifacts, 'killed')).length, 2);
  const { body } = await second.call('POST', '/service/killed/restart', {});
  assert.equal(body.status, 'restarted', JSON.stringify(body));
  await assert.rejects(
    startAgent({ data: join(home, 'other'), config }).then((other) => refused(other)),
    /used by the agent of/,
  );
});

/** What an agent says to a deploy with files, when it may not have them where it is told to. */
async function refused(other: RunningAgent): Promise<void> {
  await using agent = other;
  const form = new FormData();
  form.set('artifact', new Blob([build('x')]));
  form.set('spec', JSON.stringify(spec));
  const response = await fetch(`${agent.url}/service/x/deploy`, {
    method: 'POST',
    headers: { authorization: `Bearer ${agent.key}` },
    body: form,
  });
  throw new Error(`${response.status}: ${await response.text()}`);
}

test('a full disk is said, leaves nothing, and what runs goes on', {
  skip: !isRoot && 'needs root',
}, async (context) => {
  const small = join(home, 'small');
  mkdirSync(small);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k,mode=755', 'tmpfs', small], { stdio: 'ignore' });
  } catch {
    return context.skip('nothing can be mounted here');
  }
  try {
    const config = { listen: '127.0.0.1:0', artifacts: join(small, 'files') };
    await using limited = await startAgent({ data: join(home, 'limited'), config });
    const ask = async (bytes: Buffer) => {
      const form = new FormData();
      form.set('artifact', new Blob([bytes]));
      form.set('spec', JSON.stringify(spec));
      const headers = { authorization: `Bearer ${limited.key}` };
      const response = await fetch(`${limited.url}/service/web/deploy`, {
        method: 'POST',
        headers,
        body: form,
      });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    };
    assert.equal((await ask(build('fits'))).status, 200);
    const { status, body } = await ask(build('too much', { name: 'big', content: randomBytes(800_000) }));
    assert.deepEqual([status, body['code']], [503, 'storage_unavailable']);
    assert.match(String(body['error']), /disk is full/);
    assert.equal(present(join(small, 'files', 'web')).length, 2);
    assert.equal((await limited.call('GET', '/service/web/status')).body.status, 'running');
    assert.equal((await ask(build('fits again'))).status, 200);
  } finally {
    execFileSync('umount', ['-l', small]);
  }
});
