import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { test } from 'node:test';
import { doctorReport, type Finding } from '../../src/contract/doctor.ts';
import { startAgent } from '../helpers/agent.ts';
import { certificateText, makeCertificate } from '../helpers/server_certificates.ts';
import { until } from '../helpers/system.ts';

const path = '/api/v1/agent/doctor';
const about = (findings: readonly Finding[], check: string) =>
  findings.filter((finding) => finding.check === check);

/** Every `davit doctor` for this data directory: its arguments and its environment. */
function runs(data: string): { readonly args: string; readonly env: string }[] {
  return readdirSync('/proc').flatMap((pid) => {
    try {
      const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      if (!args.includes(' doctor ') || !args.includes(data)) return [];
      return [{ args, env: readFileSync(`/proc/${pid}/environ`, 'utf8') }];
    } catch {
      return [];
    }
  });
}

test('the report is of this agent: its data, its configuration, its services', async () => {
  await using agent = await startAgent({ config: { listen: '127.0.0.1:0', port_range: '21000-21099' } });
  const { status, body } = await agent.call('GET', path);
  assert.equal(status, 200);
  const { healthy, findings, took_ms } = doctorReport.parse(body);
  assert.ok(healthy && took_ms > 0);
  const [answers] = about(findings, 'agent');
  assert.equal(answers?.state, 'ok');
  assert.match(answers?.message ?? '', new RegExp(`it answers on ${agent.url},`));
  assert.match(about(findings, 'data directory')[0]?.message ?? '', new RegExp(agent.data));
  assert.match(about(findings, 'ports')[0]?.message ?? '', /21000-21099/);
});

test('a problem is an answer, not an error', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'davit-doctor-'));
  const file = join(folder, 'davit.yaml');
  try {
    writeFileSync(file, 'listen: 127.0.0.1:0\n');
    await using agent = await startAgent({ configFile: file });
    chmodSync(agent.data, 0o755);
    writeFileSync(file, 'listen: 127.0.0.1:0\nno_such_setting: 1\n');
    const { status, body } = await agent.call('GET', path);
    assert.equal(status, 200);
    assert.equal(body.healthy, false);
    assert.match(about(body.findings, 'configuration')[0]?.message ?? '', /no_such_setting/);
    const [open] = about(body.findings, 'data directory').filter(({ state }) => state === 'problem');
    assert.match(open?.advice ?? '', /chmod 700/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('calls at the same time share one run, which knows no secret and no context of the user', async () => {
  const home = mkdtempSync(join(tmpdir(), 'davit-home-'));
  try {
    const DAVIT_KEY = 'davit_secretword_secretword';
    const env = {
      HOME: home,
      DAVIT_KEY,
      DAVIT_URL: 'http://192.0.2.1:1',
      SECRET: 'secretword',
      PASSWORD: 'secretword',
    };
    await using agent = await startAgent({ env, flags: ['--stop-services'] });
    const answers = Promise.all([1, 2, 3, 4, 5].map(() => agent.call('GET', path)));
    let seen = runs(agent.data);
    await until('it runs', () => {
      seen = runs(agent.data);
      return seen.length > 0;
    });
    assert.equal(seen.length, 1);
    for (const { args, env } of seen)
      for (const secret of ['secretword', agent.key, '192.0.2.1'])
        assert.ok(!`${args}${env}`.includes(secret));
    const reports = (await answers).map(({ body }) => body);
    for (const report of reports) assert.deepEqual(report, reports[0]);
    assert.equal(about(reports[0].findings, 'agent')[0]?.state, 'ok', JSON.stringify(reports[0]));
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});

test('an agent that ends does not leave it behind', async () => {
  const agent = await startAgent();
  try {
    const answer = agent.call('GET', path).catch(() => null);
    await until('it runs', () => runs(agent.data).length > 0);
    await agent.end();
    await answer;
    assert.deepEqual(runs(agent.data), []);
  } finally {
    await agent[Symbol.asyncDispose]();
  }
});

test('an agent that speaks TLS is known by its own certificate, whoever signed it and whatever name is in it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'davit-doctor-'));
  const tls = makeCertificate(folder, 'agent', ['davit.example']);
  const agent = await startAgent({ config: { listen: '127.0.0.1:0', tls } });
  try {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const headers = { authorization: `Bearer ${agent.key}` };
    const trust = { ca: certificateText(tls), servername: 'davit.example' };
    get(`${agent.url}${path}`, { headers, ...trust }, resolve).once('error', reject);
    const { findings } = doctorReport.parse(await json(await promise));
    assert.equal(about(findings, 'agent')[0]?.state, 'ok', JSON.stringify(findings));
  } finally {
    await agent.end();
    for (const made of [folder, agent.data]) rmSync(made, { recursive: true, force: true });
  }
});
