import { setTimeout as sleep } from 'node:timers/promises';
import { inMilliseconds, type Minimum, type Report } from '../../report.ts';
import type { Run } from '../../run.ts';
import { median } from '../../statistics.ts';
import { type LoadOptions, loadFirst, type Timing, type Transfer } from '../first_load.ts';
import type { ConsoleUnderTest, Stage } from '../stage.ts';
import { deployIdle } from '../stage.ts';

/** Milliseconds over loopback, the processor not slowed down. */
const longestInteractive = 2_000;
/** Bytes as transferred with br, without the charts. */
const mostScript = 250_000;
const rates = [1, 4];
const places = [
  { name: 'page to sign in', path: '/', isSignedIn: false },
  { name: 'overview', path: '/console/', isSignedIn: true },
] as const;

interface Sample {
  readonly name: string;
  readonly slowdown: number;
  readonly br: Transfer;
  readonly gzip: Transfer;
  readonly timings: readonly Timing[];
}

/** What the first look at the console takes, in a browser that has nothing of it yet. */
export async function measureFirstLoad({ contenders, quick }: Run<ConsoleUnderTest>): Promise<Report> {
  const rounds = quick ? 1 : 5;
  const samples = await contenders.onStage(async (stage) => {
    await deployIdle(stage.agent, ['s1', 's2', 's3']);
    // Until there is something to draw in the charts.
    await sleep(12_000);
    const all: Sample[] = [];
    for (const { name, ...place } of places) {
      for (const slowdown of rates)
        all.push({ name, ...(await measure(stage, { ...place, slowdown }, rounds)) });
    }
    return all;
  });
  return report(samples, rounds);
}

async function measure(
  stage: Stage,
  place: Omit<LoadOptions, 'encoding'>,
  rounds: number,
): Promise<Omit<Sample, 'name'>> {
  const timings: Timing[] = [];
  const { transfer: gzip } = await loadFirst(stage, { ...place, encoding: 'gzip' });
  let br = gzip;
  for (let round = 0; round < rounds; round++) {
    const { transfer, timing } = await loadFirst(stage, { ...place, encoding: 'br' });
    br = transfer;
    timings.push(timing);
  }
  return { slowdown: place.slowdown, br, gzip, timings };
}

function report(samples: readonly Sample[], rounds: number): Report {
  const middle = ({ timings }: Sample, of: (timing: Timing) => number) => median(timings.map(of));
  const kilobytes = (bytes: number) => `${(bytes / 1_000).toFixed(0)} KB`;
  const times = (sample: Sample, of: (timing: Timing) => number) => inMilliseconds(middle(sample, of));
  return {
    title: `The first load over loopback, median of ${rounds}`,
    columns: [
      '',
      'requests',
      'script br (gzip)',
      'of it charts',
      'style br (gzip)',
      'other',
      'first paint',
      'largest paint',
      'blocking',
      'interactive',
    ],
    rows: samples.map((sample) => [
      sample.name + (sample.slowdown > 1 ? `, CPU ${sample.slowdown}× slower` : ''),
      String(sample.br.requests),
      `${kilobytes(sample.br.scripts)} (${kilobytes(sample.gzip.scripts)})`,
      kilobytes(sample.br.charts),
      `${kilobytes(sample.br.styles)} (${kilobytes(sample.gzip.styles)})`,
      kilobytes(sample.br.others),
      times(sample, ({ firstPaint }) => firstPaint),
      times(sample, ({ largestPaint }) => largestPaint),
      times(sample, ({ blocking }) => blocking),
      times(sample, ({ interactive }) => interactive),
    ]),
    minimums: samples.filter(({ slowdown }) => slowdown === 1).flatMap((sample) => minimums(sample, middle)),
    notes: [
      'Bytes as transferred, heads of answers included. Paints are First and Largest Contentful Paint; blocking is Total Blocking Time; interactive is the end of the last task over 50 ms before 5 s without one (the network is not looked at: a stream stays open).',
    ],
    samples: { samples },
  };
}

function minimums(
  sample: Sample,
  middle: (sample: Sample, of: (timing: Timing) => number) => number,
): Minimum[] {
  const interactive = middle(sample, (timing) => timing.interactive);
  const scripts = sample.br.scripts - sample.br.charts;
  return [
    {
      what: `${sample.name}: interactive`,
      measured: inMilliseconds(interactive),
      wanted: `within ${longestInteractive} ms`,
      held: interactive < longestInteractive,
    },
    {
      what: `${sample.name}: scripts without charts, br`,
      measured: `${(scripts / 1_000).toFixed(0)} KB`,
      wanted: `under ${mostScript / 1_000} KB`,
      held: scripts < mostScript,
    },
  ];
}
