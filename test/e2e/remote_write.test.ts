import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startAgent } from '../helpers/agent.ts';
import { steadyPort } from '../helpers/free_port.ts';
import { Prometheus, prometheusObstacle } from '../helpers/prometheus.ts';
import { until } from '../helpers/system.ts';
import { type RecordingReceiver, startReceiver } from '../metrics/remote_write/recording_receiver.ts';

/** Its value is the time of its sample. */
const clock = 'davit_measurement_timestamp_seconds';

function metricsWith(receivers: Readonly<Record<string, string>>) {
  const remote_write = Object.entries(receivers).map(([name, url]) => ({ name, url }));
  return { metrics: { interval: '1s', remote_write } };
}

/** The times of the samples that were sent up to a time, by their series as a query names it. */
function timesOfSeries({ taken }: RecordingReceiver, last: number): Map<string, number[]> {
  const times = new Map<string, number[]>();
  for (const { name, labels, value, at } of taken.flatMap(({ samples }) => samples)) {
    const inner = Object.entries(labels).map(([label, text]) => `${label}=${JSON.stringify(text)}`);
    const series = `${name}{${inner.join(',')}}`;
    // A query shows no end of a series.
    if (at <= last && !Number.isNaN(value)) times.set(series, [...(times.get(series) ?? []), at]);
  }
  return times;
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
    const steps = await prometheus.range(`last_over_time(${clock}[${widest + 1}ms])`, first, last, 1_000);
    assert.equal(steps.length, Math.floor((last - first) / 1_000) + 1, 'no step without a value');
    assert.equal(await prometheus.count('davit_instance_ready{service="web"}'), 0, 'its series has ended');
    await agent.until('GET', '/api/v1/agent', ({ warnings }) => !warnings.join().includes('remote_write'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('two minutes of outage at the usual interval leave no gap in any series', {
  skip:
    prometheusObstacle ||
    (process.env['DAVIT_TEST_OUTAGE'] === undefined && 'takes four minutes: set DAVIT_TEST_OUTAGE'),
  timeout: 600_000,
}, async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'davit-prometheus-'));
  try {
    await using prometheus = await Prometheus.start(folder);
    await using witness = await startReceiver();
    const { metrics } = metricsWith({ prometheus: prometheus.writeUrl, witness: witness.url });
    await using agent = await startAgent({ config: { metrics: { ...metrics, interval: '10s' } } });
    for (const service of ['one', 'two', 'three'])
      await agent.call('POST', `/service/${service}/deploy`, { command: 'exec sleep 1000' });
    await sleep(35_000);
    await prometheus.end();
    await sleep(120_000);
    const waiting = witness.taken
      .at(-1)
      ?.samples.find(
        ({ name, labels }) =>
          name === 'davit_remote_write_pending_samples' && labels['receiver'] === 'prometheus',
      );
    await prometheus.start();
    const back = performance.now();
    const sent = witness.times(clock);
    await until('the rest has arrived', async () => (await prometheus.samples(clock)).length >= sent.length);
    const caughtUp = Math.round(performance.now() - back);
    await sleep(25_000);

    const last = witness.times(clock).at(-2) ?? 0;
    const wanted = timesOfSeries(witness, last);
    let samples = 0;
    for (const [series, times] of wanted) {
      const found = (await prometheus.samples(series)).map(([at]) => at).filter((at) => at <= last);
      assert.deepEqual(found, times, series);
      samples += found.length;
    }
    context.diagnostic(
      `${wanted.size} series, ${samples} samples, ${waiting?.value} waited at the end of the outage, ` +
        `all there ${caughtUp} ms after Prometheus was ready again, no sample missing in any series`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('what waits outlives kill -9 of the agent', async () => {
  const port = await steadyPort();
  await using witness = await startReceiver();
  const config = metricsWith({ absent: `http://127.0.0.1:${port}/`, witness: witness.url });
  await using first = await startAgent({ config });
  const queue = join(first.data, 'remote_write', 'absent');
  await witness.until('some have been sent', () => witness.times(clock).length >= 3);
  const before = witness.times(clock);
  // Not those that are just being written.
  const written = () => readdirSync(queue).filter((name) => name.endsWith('.snappy'));
  await until('all of them wait', () => written().length >= before.length);
  await first.end('SIGKILL');

  await using second = await startAgent({ config, data: first.data });
  await using receiver = await startReceiver(port);
  await witness.until('more has been sent', () => witness.times(clock).length > before.length);
  // What was taken just before the agent was killed is sent again, which Prometheus takes for the same.
  const all = [...new Set(witness.times(clock))];
  // The agent may have been killed when one of the two had a sample already, and the other not.
  const missing = () => all.filter((time) => !receiver.times(clock).includes(time));
  await receiver.until('all have arrived', () => missing().length === 0);
  const times = receiver.times(clock);
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
  await second.end();
  assert.ok(existsSync(queue));
});
