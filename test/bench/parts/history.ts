import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SeriesKey } from '../../../src/contract/series.ts';
import { History } from '../../../src/metrics/history/history.ts';
import { type MeasuredSeries, sameSeries } from '../measured_series.ts';
import { inMebibytes, inMilliseconds, type Report } from '../report.ts';
import type { Run } from '../run.ts';
import { median, quantile } from '../statistics.ts';

const interval = 10_000;
const hour = 3_600_000;
const day = 24 * hour;
const begin = Date.parse('2026-03-02T00:00:00Z');
const mostMilliseconds = 50;

interface Scale {
  readonly series: number;
  /** In milliseconds. */
  readonly time: number;
  readonly repetitions: number;
}

interface Result {
  readonly scale: Scale;
  readonly ticks: readonly number[];
  /** The most processor time that chunks took before other work had its turn, in milliseconds. */
  readonly longestTurn: number;
  readonly bytes: number;
  readonly questions: Readonly<Record<string, readonly number[]>>;
}

/** The history of a week: its size on the disk, what a tick takes, and what questions take, in this process, by a clock of its own. */
export async function measureHistory({ sandbox, quick }: Run): Promise<Report> {
  const repetitions = quick ? 20 : 200;
  const few = await fill(sandbox.makeFolder('few'), { series: 50, time: quick ? day : 7 * day, repetitions });
  const many = await fill(sandbox.makeFolder('many'), {
    series: 4_500,
    time: quick ? hour : 6 * hour,
    repetitions: Math.ceil(repetitions / 10),
  });
  return report(few, many);
}

async function fill(folder: string, scale: Scale): Promise<Result> {
  const file = join(folder, 'metrics.db');
  let now = begin;
  const history = new History({
    file,
    settings: () => ({
      interval: '10s',
      history: { fine: '2d', minutes: '14d', hours: '400d', max_size: '1GB' },
    }),
    onProblem: (problem) => {
      throw new Error(problem);
    },
    now: () => now,
  });
  history.reload();
  const series = sameSeries(scale.series);
  const ticks: number[] = [];
  let longest = 0;
  for (; now < begin + scale.time; now += interval) {
    const values = new Map(series.map((each) => [each.key, each.next()]));
    const began = performance.now();
    history.record({ at: now, values });
    ticks.push(performance.now() - began);
    if (now % hour === 0) longest = Math.max(longest, await longestTurn(history.idle));
  }
  await history.idle;
  const questions = await ask(history, series, { ...scale, now });
  history.close();
  return { scale, ticks, longestTurn: longest, bytes: statSync(file).size, questions };
}

async function longestTurn(work: Promise<void>): Promise<number> {
  let isDone = false;
  void work.finally(() => {
    isDone = true;
  });
  let longest = 0;
  while (!isDone) {
    const before = process.cpuUsage();
    await nextTurn();
    const { user, system } = process.cpuUsage(before);
    longest = Math.max(longest, (user + system) / 1_000);
  }
  return longest;
}

/** Answers are made as a client gets them, but not sent. */
async function ask(
  history: History,
  series: readonly MeasuredSeries[],
  { repetitions, now }: Scale & { readonly now: number },
): Promise<Record<string, number[]>> {
  const repeat = async (count: number, length: number, step: number | null = null) => {
    const keys = series.slice(0, count).map(({ key }) => key);
    const milliseconds: number[] = [];
    for (let turn = 0; turn < repetitions; turn++) {
      const began = performance.now();
      await answer(history, keys, { from: now - length, to: now, step });
      milliseconds.push(performance.now() - began);
    }
    return milliseconds;
  };
  return {
    '7 days of one series': await repeat(1, 7 * day),
    '7 days of 50 series': await repeat(50, 7 * day),
    '7 days of one series by the minute': await repeat(1, 7 * day, 60_000),
    'an hour of one series': await repeat(1, hour),
    'an hour of 50 series': await repeat(50, hour),
  };
}

async function answer(
  history: History,
  keys: readonly SeriesKey[],
  asked: { readonly from: number; readonly to: number; readonly step: number | null },
): Promise<string> {
  const values = await history.read(keys, history.plan(asked));
  return JSON.stringify(values.map((each) => each.points('avg')));
}

function report(few: Result, many: Result): Report {
  const all = [few, many];
  const week = few.questions['7 days of one series'] ?? [];
  const rows = Object.keys(few.questions).map((question) => [
    question,
    ...all.flatMap(({ questions }) => [
      inMilliseconds(median(questions[question] ?? [])),
      inMilliseconds(quantile(questions[question] ?? [], 0.99)),
    ]),
  ]);
  const days = (time: number) => (time >= day ? `${time / day} days` : `${time / hour} h`);
  return {
    title: `The history of ${few.scale.series} series for ${days(few.scale.time)}, and of ${many.scale.series} for ${days(many.scale.time)}, every ${interval / 1_000} s`,
    columns: ['', `${few.scale.series}: median`, 'p99', `${many.scale.series}: median`, 'p99'],
    rows: [
      [
        'to keep a tick',
        ...all.flatMap(({ ticks }) => [inMilliseconds(median(ticks)), inMilliseconds(quantile(ticks, 0.99))]),
      ],
      ...rows,
    ],
    minimums: [
      {
        what: `a question for 7 days, p99`,
        measured: inMilliseconds(quantile(week, 0.99)),
        wanted: `under ${mostMilliseconds} ms`,
        held: quantile(week, 0.99) < mostMilliseconds,
      },
    ],
    notes: [
      ...all.map(
        ({ scale, bytes, ticks }) =>
          `${scale.series} series for ${days(scale.time)}: ${inMebibytes(bytes)} on the disk, ${(bytes / (scale.series * ticks.length)).toFixed(2)} bytes for each value in all its resolutions.`,
      ),
      `While chunks were made of an hour, other work had its turn after at most ${all.map(({ longestTurn: turn, scale }) => `${inMilliseconds(turn)} of processor time with ${scale.series} series`).join(' and ')}.`,
      'Half of the values are noise, a quarter are sizes that wander, and a quarter hardly change.',
    ],
    samples: { few, many },
  };
}
