import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { afterEach, beforeEach, test } from 'node:test';
import { checkCertificates } from '../../src/cli/doctor_certificates.ts';
import { checkClock, checkConfiguration, checkData } from '../../src/cli/doctor_host.ts';
import { checkPorts } from '../../src/cli/doctor_ports.ts';
import { checkProcess, openFilesLimit } from '../../src/cli/doctor_process.ts';
import type { DoctorSettings } from '../../src/cli/doctor_settings.ts';
import { version } from '../../src/lib/version.ts';
import { makeCertificates } from './certificates.ts';
import { Person } from './davit.ts';
import { fakeAgent, type Received, shownService } from './fake_agent.ts';

let person: Person;
beforeEach(() => {
  person = new Person();
  mkdirSync(person.path('data'), { mode: 0o700 });
});
afterEach(() => person[Symbol.dispose]());

const states = (findings: readonly { state: string; message: string }[], text: RegExp) =>
  findings.filter(({ message }) => text.test(message)).map(({ state }) => state);

/** An agent on which all is well, but for what a test changes. */
function well(changes: { information?: object; services?: object[]; orphans?: object } = {}) {
  const information = {
    version,
    listen: 'http://127.0.0.1:8888',
    data: person.path('data'),
    pid: process.pid,
    services: { total: 1, running: 1 },
    control_groups: { used: true, reason: null },
    warnings: [],
    ...changes.information,
  };
  return ({ path }: Received): unknown => {
    if (path === '/api/v1/agent') return information;
    if (path === '/api/v1/orphans') return changes.orphans ?? { orphans: [], orphan_count: 0 };
    return { services: changes.services ?? [shownService('web')] };
  };
}

async function diagnose(): Promise<{
  code: number | null;
  healthy: boolean;
  findings: { state: string; check: string; message: string; advice: string | null }[];
}> {
  const { code, out } = await person.davit(['doctor', '--json']);
  return { code, ...JSON.parse(out) };
}

test('where all is well nothing is a problem', async () => {
  await using agent = await fakeAgent(well());
  agent.describeIn(person.path('data'));
  const { code, healthy, findings } = await diagnose();
  assert.deepEqual([code, healthy], [0, true]);
  const bad = findings.filter(({ state }) => state !== 'ok').map(({ check }) => check);
  // The disk of whoever runs this may be nearly full.
  assert.deepEqual(
    bad.filter((check) => check !== 'data directory'),
    [],
  );
  const checks = [
    'agent',
    'control groups',
    'orphans',
    'services',
    'configuration',
    'data directory',
    'clock',
    'ports',
    'limits',
  ];
  assert.deepEqual(
    findings.map(({ check }) => check),
    checks,
  );
});

test('what an agent tells of itself and of its services is told with what to do', async () => {
  const reason = 'control groups are switched off';
  const warnings = [reason, 'mkfifo is missing', '2 instances run that no service has: see davit orphans'];
  const fallen = shownService('web', { status: 'stopped', wanted: 'running', message: 'Died\u001b[2J' });
  const services = [
    fallen,
    shownService('off', { status: 'stopped', wanted: 'stopped' }),
    shownService('loop', { status: 'backoff', message: 'It ended' }),
    shownService('broken', { status: 'failed', message: 'It gave up' }),
    shownService('nightly', { status: 'scheduled' }),
    shownService('many', { instances: { wanted: 3, running: 3, ready: 2 } }),
  ];
  const information = { version: '0.0.1', warnings, control_groups: { used: false, reason } };
  await using agent = await fakeAgent(
    well({ information, services, orphans: { orphans: [], orphan_count: 2 } }),
  );
  agent.describeIn(person.path('data'));
  const { code, findings } = await diagnose();
  assert.equal(code, 1);
  assert.deepEqual(states(findings, /the agent is 0\.0\.1, this command line/), ['warning']);
  assert.deepEqual(states(findings, /switched off/), ['warning']);
  assert.deepEqual(states(findings, /mkfifo is missing/), ['warning']);
  assert.deepEqual(states(findings, /2 instances run that no service has/), ['warning']);
  assert.deepEqual(states(findings, /web is wanted, but stopped: Died/), ['problem']);
  assert.deepEqual(states(findings, /broken is wanted, but failed: It gave up/), ['problem']);
  assert.deepEqual(states(findings, /loop is wanted, but backoff: It ended/), ['warning']);
  assert.deepEqual(states(findings, /2 of 3 of many are ready/), ['warning']);
  assert.deepEqual(states(findings, /nightly|off /), []);
  assert.deepEqual(states(findings, /off is wanted/), []);
  const { out } = await person.davit(['doctor']);
  assert.match(
    out,
    /^problem {2}services: web is wanted, but stopped: Died\\x1b\[2J\n {9}davit why web; davit start web$/m,
  );
  assert.match(out, /\n2 problems, [6-8] warnings\n$/);
});

test('without an agent the host is looked at all the same', async () => {
  writeFileSync(person.path('data', 'admin.key'), 'key', { mode: 0o600 });
  writeFileSync(
    person.path('data', 'agent.json'),
    JSON.stringify({ url: 'http://127.0.0.1:1', pid: process.pid }),
  );
  const { code, findings } = await diagnose();
  assert.equal(code, 1);
  assert.deepEqual(
    findings.filter(({ check }) => check === 'agent').map(({ state, advice }) => [state, advice]),
    [['problem', 'start it: systemctl start davit; why it ended: journalctl -u davit']],
  );
  for (const check of ['configuration', 'data directory', 'clock', 'user', 'host'])
    assert.ok(
      findings.some((finding) => finding.check === check),
      check,
    );
});

test('of an agent elsewhere only what it tells itself is looked at', async () => {
  await using agent = await fakeAgent(well());
  person.environment['DAVIT_URL'] = agent.url;
  person.environment['DAVIT_KEY'] = 'x';
  const { findings } = await diagnose();
  assert.deepEqual(
    findings.map(({ check }) => check),
    ['agent', 'control groups', 'orphans', 'services'],
  );
});

test('who may not see orphans is told all the rest, who may see nothing how to', async () => {
  const refusal = { http_status: 403, error: 'not allowed', code: 'forbidden' };
  let closed = '/api/v1/orphans';
  await using agent = await fakeAgent((request) => (request.path === closed ? refusal : well()(request)));
  agent.describeIn(person.path('data'));
  assert.equal((await diagnose()).code, 0);
  closed = '/api/v1/agent';
  const { code, findings } = await diagnose();
  assert.equal(code, 1);
  assert.match(findings.find(({ check }) => check === 'agent')?.advice ?? '', /--key-file/);
});

test('a configuration that is wrong is a problem, with what is wrong', () => {
  const read = () => {
    throw new Error('listen in /etc/davit/davit.yaml: must be host:port');
  };
  const { finding, settings } = checkConfiguration(read);
  assert.deepEqual([finding.state, settings], ['problem', null]);
  assert.match(finding.message, /must be host:port/);
});

test('a data directory that is open to others is a problem, one that is not there is none', () => {
  const folder = person.path('data');
  assert.deepEqual(states(checkData(folder), /others may look/), []);
  chmodSync(folder, 0o750);
  assert.deepEqual(states(checkData(folder), /others may look/), ['problem']);
  assert.deepEqual(states(checkData(person.path('nowhere')), /the first start of an agent makes it/), [
    'warning',
  ]);
});

test('a clock that is long past, or that was set back, is told', () => {
  const folder = person.path('data');
  assert.equal(checkClock(folder, Date.UTC(1970, 0)).state, 'problem');
  const now = Date.UTC(2026, 5);
  assert.equal(checkClock(folder, now).state, 'ok');
  writeFileSync(person.path('data', 'davit.db'), '');
  utimesSync(person.path('data', 'davit.db'), now / 1_000, now / 1_000 + 3_600);
  assert.match(checkClock(folder, now).message, /it was set back/);
});

test('a port that somebody else has is a problem for an agent that is to start, and none for one that runs', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const settings = { ...quiet(), listen: `127.0.0.1:${port}` };
  assert.deepEqual(states(await checkPorts(settings, false), /is taken/), ['problem']);
  assert.deepEqual(states(await checkPorts(settings, true), /is taken/), []);
  await new Promise((resolve) => server.close(resolve));
  assert.deepEqual(states(await checkPorts(settings, false), /is free/), ['ok']);
  const elsewhere = { ...settings, listen: '192.0.2.1:80' };
  assert.match(JSON.stringify(await checkPorts(elsewhere, false)), /EADDRNOTAVAIL/);
});

test('ports for services that outgoing connections may take are told', async () => {
  const findings = await checkPorts({ ...quiet(), port_range: '1025-65000' }, true);
  assert.deepEqual(states(findings, /overlaps/), ['warning']);
});

test('a certificate is looked at for its end, its key and its file', () => {
  const { server, client } = makeCertificates(person.home);
  const check = (cert_file: string, key_file: string, now?: number) => {
    const settings = { ...quiet(), tls: { cert_file, key_file } };
    return checkCertificates(settings, now).map(({ state, message }) => `${state}: ${message}`);
  };
  const inDays = (days: number) => Date.now() + days * 86_400_000;
  assert.match(check(server.cert, server.key).join(), /^warning: .* is good for 0 more days$/);
  assert.match(check(server.cert, server.key, inDays(-60)).join(), /^problem: .* is good only from/);
  assert.match(check(server.cert, server.key, inDays(2)).join(), /^problem: .* expired on/);
  assert.match(check(server.cert, client.key).join(), /^problem: .* is not the key of/);
  assert.match(check(person.path('none'), client.key).join(), /^problem: .*no such file/i);
  assert.deepEqual(checkCertificates(quiet()), []);
});

test('an agent that may open few files is told of before services stand still', () => {
  assert.equal(
    openFilesLimit('Max processes   1  1  processes\nMax open files            1024   524288   files\n'),
    1_024,
  );
  assert.equal(openFilesLimit('Max open files  unlimited  unlimited  files'), Number.POSITIVE_INFINITY);
  assert.equal(openFilesLimit(''), null);
  assert.deepEqual(states(checkProcess(process.pid, 10_000_000), /may open \d+ files, and needs/), [
    'problem',
  ]);
  assert.deepEqual(states(checkProcess(process.pid, 1), /may open/), ['ok']);
});

function quiet(): DoctorSettings {
  const data = person.path('data');
  return { data, listen: '127.0.0.1:0', port_range: '20000-20009', tls: null, router: null };
}
