import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { stringify } from 'yaml';
import { agentUrl, isLoopback, resolveTarget, type TargetFlags } from '../../src/cli/target.ts';
import { makeCertificate } from '../helpers/server_certificates.ts';
import { Person } from './davit.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'davit-target-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

function write(name: string, text: string): string {
  const path = join(home, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

function writeContexts(current: string | null): void {
  const contexts = {
    prod: { url: 'https://prod.example.com', key_file: 'keys/prod' },
    lab: { url: 'http://10.0.0.5:8888', key: 'lab-key' },
    open: { url: 'https://open.example.com' },
  };
  write('.config/davit/config.yaml', stringify({ current, contexts }));
  write('.config/davit/keys/prod', 'prod-key\n');
}

/** An agent of this host whose process is alive, unless another pid is given. */
function writeAgent(url = 'http://127.0.0.1:9999', pid = process.pid): void {
  write('data/agent.json', JSON.stringify({ url, pid }));
  write('data/admin.key', 'admin-key\n');
}

function resolve(flags: TargetFlags = {}, environment: Record<string, string> = {}) {
  return resolveTarget(flags, { HOME: home, DAVIT_DATA: join(home, 'data'), ...environment }, false);
}

function chosen(flags: TargetFlags = {}, environment: Record<string, string> = {}): [string, string | null] {
  const { url, key } = resolve(flags, environment);
  return [url.host, key?.value ?? null];
}

function aDeadPid(): number {
  return spawnSync('true').pid;
}

test('without any setting it is the agent of this host, with its admin key', () => {
  writeAgent();
  const target = resolve();
  assert.equal(target.url.href, 'http://127.0.0.1:9999/');
  assert.equal(target.isLocal, true);
  assert.equal(target.key?.value, 'admin-key');
  assert.match(target.key?.origin ?? '', /admin\.key \(the key of this host\)/);
});

test('where no agent has described itself, it is the usual address, without a key', () => {
  write('data/admin.key', 'admin-key');
  assert.deepEqual(chosen(), ['127.0.0.1:8888', null]);
});

test('an agent that is gone gets no admin key: somebody else may have its port', () => {
  writeAgent('http://127.0.0.1:9999', aDeadPid());
  assert.deepEqual(chosen(), ['127.0.0.1:9999', null]);
});

test('the admin key goes to no other address than that of its own agent', () => {
  writeAgent();
  assert.deepEqual(chosen({ url: 'http://127.0.0.1:9998' }), ['127.0.0.1:9998', null]);
  assert.deepEqual(chosen({ url: 'https://127.0.0.1:9999' }), ['127.0.0.1:9999', null]);
  assert.deepEqual(chosen({ url: 'http://evil.example.com:9999' }), ['evil.example.com:9999', null]);
  assert.deepEqual(chosen({ url: 'http://127.0.0.1:9999' }), ['127.0.0.1:9999', 'admin-key']);
  writeContexts('open');
  assert.deepEqual(chosen(), ['open.example.com', null]);
});

test('the data directory is a flag, a variable, or the usual one of the account', () => {
  write('other/agent.json', JSON.stringify({ url: 'http://127.0.0.1:1', pid: process.pid }));
  write('other/admin.key', 'other-key');
  assert.deepEqual(chosen({ data: join(home, 'other') }), ['127.0.0.1:1', 'other-key']);
  write('state/davit/agent.json', JSON.stringify({ url: 'http://127.0.0.1:2', pid: process.pid }));
  write('state/davit/admin.key', 'state-key');
  const byState = resolveTarget({}, { HOME: home, XDG_STATE_HOME: join(home, 'state') }, false);
  assert.equal(byState.key?.value, 'state-key');
  write('.local/state/davit/agent.json', JSON.stringify({ url: 'http://127.0.0.1:3', pid: process.pid }));
  write('.local/state/davit/admin.key', 'home-key');
  const relative = resolveTarget({}, { HOME: home, XDG_STATE_HOME: 'state' }, false);
  assert.equal(relative.key?.value, 'home-key');
});

test('flags win over the environment, the environment over the context in use', () => {
  writeContexts('prod');
  assert.deepEqual(chosen(), ['prod.example.com', 'prod-key']);
  assert.deepEqual(chosen({}, { DAVIT_CONTEXT: 'lab' }), ['10.0.0.5:8888', 'lab-key']);
  assert.deepEqual(chosen({}, { DAVIT_URL: 'http://env:1' }), ['env:1', null]);
  assert.deepEqual(chosen({ context: 'lab' }, { DAVIT_URL: 'http://env:1' }), ['10.0.0.5:8888', 'lab-key']);
  assert.deepEqual(chosen({ url: 'http://flag:1' }, { DAVIT_CONTEXT: 'lab' }), ['flag:1', null]);
});

test('"local" is the agent of this host, also while another context is in use', () => {
  writeContexts('prod');
  writeAgent();
  assert.deepEqual(chosen({ context: 'local' }), ['127.0.0.1:9999', 'admin-key']);
});

test('the nearest key wins: flag, context of a flag, environment, other context', () => {
  writeContexts('lab');
  const keyFile = write('key', 'flag-key\n');
  const env = { DAVIT_KEY: 'env-key' };
  const keyOf = (flags: TargetFlags, environment: Record<string, string>) => chosen(flags, environment)[1];
  assert.equal(keyOf({ keyFile, context: 'lab' }, env), 'flag-key');
  assert.equal(keyOf({ context: 'lab' }, env), 'lab-key');
  assert.equal(keyOf({ context: 'open' }, env), 'env-key');
  assert.equal(keyOf({}, env), 'env-key');
  assert.equal(keyOf({}, { DAVIT_KEY_FILE: keyFile }), 'flag-key');
  assert.equal(keyOf({}, { ...env, DAVIT_KEY_FILE: keyFile }), 'env-key');
  assert.equal(keyOf({}, {}), 'lab-key');
});

test('what cannot be meant is refused', () => {
  writeContexts(null);
  assert.throws(() => resolve({ url: 'http://a', context: 'lab' }), /--url or --context, not both/);
  assert.throws(() => resolve({}, { DAVIT_URL: 'http://a', DAVIT_CONTEXT: 'lab' }), /both set/);
  assert.throws(() => resolve({ context: 'nope' }), /no context "nope"; there are local, prod, lab, open/);
  assert.throws(() => resolve({ context: 'toString' }), /no context/);
  assert.throws(() => resolve({ certFile: 'x' }), /both --cert-file and --cert-key-file/);
  assert.throws(() => resolve({ caFile: join(home, 'none') }), /certificate file cannot be read/);
});

test('an address is http or https, without a password, a query or a fragment', () => {
  assert.equal(agentUrl('https://host/davit/', '--url').pathname, '/davit/');
  assert.throws(() => agentUrl('host:8888', '--url'), /--url: "host:8888" is not an address/);
  assert.throws(() => agentUrl('ftp://host', 'DAVIT_URL'), /is not an address/);
  assert.throws(() => agentUrl('http://', 'DAVIT_URL'), /is not an address/);
  assert.throws(() => agentUrl('http://key@host', '--url'), /a key never stands in an address/);
  assert.throws(() => agentUrl('http://host/?a', '--url'), /must end with/);
});

test('this host is known by its loopback addresses only', () => {
  const loopback = [
    'http://localhost',
    'http://127.0.0.1',
    'http://127.9.9.9',
    'http://[::1]:1',
    'http://2130706433',
  ];
  const other = ['http://10.0.0.1', 'http://127.0.0.1.evil.com', 'http://localhost.evil.com', 'http://[::2]'];
  assert.deepEqual(
    loopback.map((url) => isLoopback(new URL(url))),
    loopback.map(() => true),
  );
  assert.deepEqual(
    other.map((url) => isLoopback(new URL(url))),
    other.map(() => false),
  );
});

test('a key that cannot stand in a header is refused without showing it', () => {
  const keyFile = write('key', 'two lines\nof-secret');
  assert.throws(
    () => resolve({ keyFile }),
    (error: Error) => /does not hold a key/.test(error.message) && !/secret/.test(error.message),
  );
  assert.throws(() => resolve({}, { DAVIT_KEY: 'a\r\nX-Evil: 1' }), /DAVIT_KEY does not hold a key/);
});

test('a key file that is not there is named with where it was asked for', () => {
  assert.throws(() => resolve({ keyFile: '/none/key' }), {
    code: 'key_unreadable',
    message: /\/none\/key \(--key-file\)/,
  });
});

test('contexts that are not right are refused with their file', () => {
  write('.config/davit/config.yaml', 'contexts: {a: {url: x, keyfile: y}}');
  assert.throws(() => resolve(), /contexts\.a\.keyfile in .*config\.yaml: .*did you mean "key_file"/);
  write('.config/davit/config.yaml', 'a: [');
  assert.throws(() => resolve(), { code: 'usage', message: /config\.yaml: / });
});

const skip = process.getuid?.() === 0 ? false : 'only root can become somebody else';

test('a key of somebody else says what to do', { skip }, async () => {
  using person = new Person();
  mkdirSync(person.path('data'));
  writeFileSync(
    person.path('data', 'agent.json'),
    JSON.stringify({ url: 'http://127.0.0.1:1', pid: process.pid }),
  );
  writeFileSync(person.path('data', 'admin.key'), 'secret', { mode: 0o600 });
  chmodSync(person.path('data'), 0o700);
  chmodSync(person.home, 0o755);
  const { target, error } = asNobody(person.path('data'));
  assert.equal(target, undefined);
  assert.match(error, /admin\.key \(the key of this host\) cannot be read: permission denied/);
});

/** Resolves the target as an account that may read nothing of root's. */
function asNobody(data: string): { target?: unknown; error: string } {
  const script = `
    const { resolveTarget } = await import('${join(import.meta.dirname, '../../src/cli/target.ts')}');
    process.setgroups([]); process.setgid(65534); process.setuid(65534);
    try { console.log(JSON.stringify({ target: resolveTarget({}, { HOME: '/', DAVIT_DATA: '${data}' }, false) })); }
    catch (error) { console.log(JSON.stringify({ error: error.message })); }`;
  const run = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', script], {
    encoding: 'utf8',
  });
  return JSON.parse(run.stdout || JSON.stringify({ error: run.stderr }));
}

test('the agent of this host is known by the certificate that it names, unless somebody says whom to believe', () => {
  const { cert_file } = makeCertificate(home, 'own', ['davit.example']);
  const url = 'https://127.0.0.1:9999';
  write('data/agent.json', JSON.stringify({ url, pid: process.pid, cert_file }));
  write('data/admin.key', 'admin-key\n');
  const { ca, allowPartialTrustChain, checkServerIdentity } = resolve().tls;
  const certificate = new X509Certificate(readFileSync(cert_file));
  assert.equal(ca, certificate.toString());
  assert.equal(allowPartialTrustChain, true);
  const check = (fingerprint256: string) => checkServerIdentity?.('127.0.0.1', { fingerprint256 } as never);
  assert.equal(check(certificate.fingerprint256), undefined);
  assert.match(check('AA:BB')?.message ?? '', /it is not the certificate in .*own\.pem/);
  assert.deepEqual(resolve({ url }).tls, {}, 'an address that somebody names is for them to prove');
  assert.deepEqual(resolve({ caFile: cert_file }).tls, { ca: readFileSync(cert_file, 'utf8') });
  write('data/agent.json', JSON.stringify({ url, pid: process.pid, cert_file: join(home, 'nothing') }));
  assert.deepEqual(resolve().tls, {});
});
