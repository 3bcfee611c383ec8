import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startAgent } from '../helpers/agent.ts';
import { freePort } from '../helpers/free_port.ts';
import { Prometheus, prometheusObstacle } from '../helpers/prometheus.ts';
import { until } from '../helpers/system.ts';
import { startReceiver } from '../metrics/remote_write/recording_receiver.ts';

/** Its value is the time of its sample. */
const clock = 'davit_measurement_timestamp_seconds';

function metricsWith(receivers: Readonly<Record<string, string>>) {
  const remote_write = Object.entries(receivers).map(([name, url]) => ({ name, url }));
  return { metrics: { interval: '1s', remote_write } };
}

test('a Prometheus that was down for a while has no gap', { skip: prometheusObstacle }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'davit-prometheus-'));
  try {
    await using prometheus = await Prometheus.start(folder);
    // It is always there and says what there was to be sent.
    await using witness = await startReceiver();
    await using agent = await startAgent({
      config: metricsWith({ prometheus: prometheus.writeUrl, witness: witness.url }),
    });
    await agent.call('POST', '/service/web/deploy', { command: 'exec sleep 1000' });
    await until('samples arrive', async () => (await prometheus.samples(clock)).length > 1);
    await until(
      'the service is known',
      async () => (await prometheus.count('davit_instance_ready{service="web"}')) === 1,
    );

    await prometheus.end();
    await agent.call('DELETE', '/api/v1/services/web');
    const before = witness.times(clock).length;
    await witness.until('some seconds pass', () => witness.times(clock).length >= before + 4);
    const all = await agent.until('GET', '/api/v1/agent', ({ warnings }) => warnings.length > 0);
    assert.match(all.warnings.join(), /remote_write prometheus: samples cannot be sent and wait/);
    await prometheus.start();

    const sent = witness.times(clock);
    await until('the rest has arrived', async () => (await prometheus.samples(clock)).length > sent.length);
    const samples = await prometheus.samples(clock);
    assert.deepEqual(
      samples.slice(0, sent.length).map(([at]) => at),
      sent,
      'each sample, and none twice',
    );
    for (const [at, value] of samples) assert.equal(Math.round(Number(value) * 1_000), at);
    const widest = Math.max(...sent.slice(1).map((at, index) => at - (sent[index] ?? at)));
    const [first = 0, last = 0] = [sent[0], sent.at(-1)];
    const steps = await prometheus.range(`last_over_time(${clock}[${widest}ms])`, first, last, 1_000);
    assert.equal(steps.length, Math.floor((last - first) / 1_000) + 1, 'no step without a value');
    assert.equal(await prometheus.count('davit_instance_ready{service="web"}'), 0, 'its series has ended');
    await agent.until('GET', '/api/v1/agent', ({ warnings }) => !warnings.join().includes('remote_write'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('what waits outlives kill -9 of the agent', async () => {
  const port = await freePort();
  await using witness = await startReceiver();
  const config = metricsWith({ absent: `http://127.0.0.1:${port}/`, witness: witness.url });
  await using first = await startAgent({ config });
  const queue = join(first.data, 'remote_write', 'absent');
  await witness.until('some have been sent', () => witness.times(clock).length >= 3);
  const before = witness.times(clock);
  await until('all of them wait', () => readdirSync(queue).length >= before.length);
  await first.end('SIGKILL');

  await using second = await startAgent({ config, data: first.data });
  await using receiver = await startReceiver(port);
  await witness.until('more has been sent', () => witness.times(clock).length > before.length);
  // What was taken just before the agent was killed is sent again, which Prometheus takes for the same.
  const all = [...new Set(witness.times(clock))];
  await receiver.until('all have arrived', () => receiver.times(clock).length >= all.length);
  assert.deepEqual(receiver.times(clock).slice(0, all.length), all);
  await second.end();
  assert.ok(existsSync(queue));
});
