import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeNotifier } from '../../src/alerts/notifiers/make_notifier.ts';
import { testNotification } from '../../src/alerts/notifiers/test_notification.ts';
import { newNotifier } from '../../src/contract/notifiers.ts';
import { freePort } from '../helpers/free_port.ts';
import { sampleAlert, sampleNotification } from '../helpers/notification.ts';
import { until } from '../helpers/system.ts';

const program = 'prometheus-alertmanager';
const isThere = spawnSync(program, ['--version']).status === 0;

interface FoundAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly endsAt: string;
  readonly generatorURL: string;
}

async function startAlertmanager() {
  const folder = await mkdtemp(join(tmpdir(), 'davit-alertmanager-'));
  await writeFile(join(folder, 'config.yml'), 'route: {receiver: nobody}\nreceivers: [{name: nobody}]\n');
  const url = `http://127.0.0.1:${await freePort()}`;
  const words = [
    `--config.file=${join(folder, 'config.yml')}`,
    `--storage.path=${join(folder, 'data')}`,
    `--web.listen-address=${new URL(url).host}`,
    '--web.route-prefix=/am',
    '--cluster.listen-address=',
  ];
  const child = spawn(program, words, { stdio: 'ignore' });
  const ready = () =>
    fetch(`${url}/am/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  await until('it is ready', ready);
  return {
    url: `${url}/am/`,
    async alerts(): Promise<FoundAlert[]> {
      return (await fetch(`${url}/am/api/v2/alerts`)).json() as Promise<FoundAlert[]>;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await once(child, 'exit');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

test('a real Alertmanager takes alerts, knows them again, and lets them end', {
  skip: !isThere && `${program} is not installed`,
}, async () => {
  await using server = await startAlertmanager();
  const definition = newNotifier.parse({
    name: 'am',
    type: 'webhook',
    format: 'alertmanager',
    url: server.url,
  });
  const notifier = makeNotifier(definition, { run: async () => assert.fail(), guard: null });
  const deliver = (notification: ReturnType<typeof sampleNotification>) =>
    notifier.deliver(notification, new AbortController().signal);
  const started_at = new Date(Date.now() - 60_000).toISOString();
  const alert = sampleAlert({ started_at, summary: 'a "quoted" {{ .Title }} <b>&\n\u2028 summary' });
  const other = sampleAlert({ id: 'b', rule: 'disk_low', service: null, instance: null, started_at });
  await deliver(sampleNotification({ alerts: [alert, other] }));
  await until('both are there', async () => (await server.alerts()).length === 2);
  const found = (await server.alerts()).find(({ labels }) => labels['service'] === 'web');
  assert.deepEqual(found?.labels, {
    alertname: 'service_failed',
    severity: 'critical',
    service: 'web',
    service_instance: '2',
    instance: 'host-a',
    job: 'davit',
  });
  assert.equal(found?.annotations['last_lines'], 'listening\nError: no database');
  assert.ok(Date.parse(found?.endsAt ?? '') > Date.now() + 86_400_000, 'it ends by itself');
  assert.match(found?.generatorURL ?? '', /\/api\/v1\/alerts\/k3f9x2m7q1wz$/);
  const resolved_at = new Date().toISOString();
  await deliver(
    sampleNotification({ status: 'resolved', alerts: [{ ...alert, state: 'resolved', resolved_at }] }),
  );
  await until('one is over', async () => (await server.alerts()).length === 1);
  assert.equal((await server.alerts())[0]?.labels['alertname'], 'disk_low');
  await deliver(testNotification({ hostname: 'host-a', version: '1', url: '' }, Date.now()));
  await until('the test is there', async () => (await server.alerts()).length === 2);
});
