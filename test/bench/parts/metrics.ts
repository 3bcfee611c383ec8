import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { serviceIds, usingPeers } from '../contenders.ts';
import { HttpClient } from '../http_client.ts';
import type { Davit } from '../peers/davit.ts';
import { processorTime } from '../processes.ts';
import { inMilliseconds, type Report } from '../report.ts';
import type { Run } from '../run.ts';
import { median, quantile } from '../statistics.ts';

const longestScrape = 100;
/** A page stands for a second: only whoever asks less often has one written. */
const pause = 1_100;

interface Sample {
  readonly milliseconds: readonly number[];
  readonly bytes: number;
  readonly compressed: number;
  readonly series: number;
  /** Of the agent for one scrape, in milliseconds. */
  readonly processorTime: number;
  /** The longest time that work of the agent had to wait meanwhile, in milliseconds. */
  readonly lag: number;
}

/** What a scrape of /metrics takes, with many instances that are probed. */
export async function measureMetrics({ sandbox, contenders, quick }: Run): Promise<Report> {
  const services = serviceIds(quick ? 20 : 500);
  const davit = await contenders.davit(services);
  const sample = await usingPeers(sandbox, [davit], async () => {
    await deploy(davit, services);
    // Until all of them have been looked at.
    await sleep(12_000);
    return scrapes(davit, quick ? 5 : 100);
  });
  return report(sample, services.length);
}

async function deploy(davit: Davit, services: readonly string[]): Promise<void> {
  const liveness = { type: 'process', interval: '5s' };
  const operations = services.map((service) => ({
    operation: 'deploy',
    service,
    body: { ...davit.spec(service), liveness },
  }));
  await davit.agent.askFor('POST', '/api/v1/batch', { operations });
}

async function scrapes(davit: Davit, count: number): Promise<Sample> {
  const client = new HttpClient(davit.url);
  const milliseconds: number[] = [];
  const lags: number[] = [];
  let used = 0;
  let text = '';
  try {
    for (let scrape = 0; scrape < count; scrape++) {
      await sleep(pause);
      const before = processorTime(davit.daemonPid);
      const answer = await client.send({ method: 'GET', path: '/metrics', headers: davit.headers });
      used += processorTime(davit.daemonPid) - before;
      if (answer.status !== 200) throw new Error(`/metrics was answered with ${answer.status}`);
      milliseconds.push(answer.milliseconds);
      text = answer.body;
      lags.push(lagIn(text));
    }
  } finally {
    client.close();
  }
  return {
    milliseconds,
    bytes: Buffer.byteLength(text),
    compressed: gzipSync(text, { level: 1 }).length,
    series: text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length,
    processorTime: (used / count) * 1_000,
    lag: Math.max(...lags),
  };
}

function lagIn(text: string): number {
  const [, seconds] = /^davit_agent_event_loop_lag_max_seconds (\S+)$/m.exec(text) ?? [];
  return Number(seconds) * 1_000;
}

function report(sample: Sample, services: number): Report {
  const { milliseconds, bytes, compressed, series, lag } = sample;
  const slowest = quantile(milliseconds, 0.99);
  const kilobytes = (size: number) => `${(size / 1_000).toFixed(0)} KB`;
  return {
    title: `A scrape of /metrics, ${services} instances`,
    columns: [
      '',
      'p50',
      'p99',
      'CPU of the agent',
      'series',
      'size',
      'as gzip',
      'longest wait of other work',
    ],
    rows: [
      [
        'davit',
        inMilliseconds(median(milliseconds)),
        inMilliseconds(slowest),
        inMilliseconds(sample.processorTime),
        String(series),
        kilobytes(bytes),
        kilobytes(compressed),
        inMilliseconds(lag),
      ],
    ],
    minimums: [
      {
        what: `scrape of /metrics with ${services} instances, p99`,
        measured: inMilliseconds(slowest),
        wanted: `under ${longestScrape} ms`,
        held: slowest < longestScrape,
      },
    ],
    notes: [
      `${milliseconds.length} scrapes, ${pause} ms apart, so that each has the page written anew; not compressed; every service is \`sleep 1000\` with a liveness probe. No router.`,
      'The longest wait of other work is what the agent itself says, with its looks at usage and its probes in it.',
    ],
    samples: { davit: sample },
  };
}
