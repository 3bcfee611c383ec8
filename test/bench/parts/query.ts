import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { usingPeers } from '../contenders.ts';
import type { Davit } from '../peers/davit.ts';
import { forgetPeakMemory, peakMemory } from '../processes.ts';
import { program } from '../programs.ts';
import { inMebibytes, inMilliseconds, type Report, ratio } from '../report.ts';
import type { Run } from '../run.ts';
import { median, quantile } from '../statistics.ts';
import { until } from '../until.ts';

const mostMilliseconds = 50;
/** Of what the same questions take on a log that has hardly more than their answers. */
const mostGrowth = 1.2;
const smallBytes = 1e6;
const quietLines = 1000;

interface Page {
  readonly lines: readonly { readonly line: string }[];
}

interface Sample {
  readonly name: string;
  readonly milliseconds: readonly number[];
  readonly lines: number;
}

/** Bytes resident at most while the questions were answered. */
interface Peaks {
  readonly small: number;
  readonly great: number;
}

interface Scale {
  readonly bytes: number;
  /** How long the quiet minute is. */
  readonly seconds: number;
  readonly repetitions: number;
}

/** A minute of quiet is looked for between the two halves of a great log, and of a small one. */
export async function measureQuery({ sandbox, contenders, quick }: Run): Promise<Report> {
  const scale: Scale = quick
    ? { bytes: 2e8, seconds: 3, repetitions: 20 }
    : { bytes: 1e9, seconds: 60, repetitions: 100 };
  const folders = { small: sandbox.makeFolder('small'), great: sandbox.makeFolder('great') };
  const command = (service: string) =>
    service === 'great'
      ? program('minute.pl', folders.great, scale.bytes, scale.seconds, quietLines)
      : program('minute.pl', folders.small, smallBytes, scale.seconds, quietLines);
  const peer = await contenders.davit(['small', 'great'], { command, keepAll: true });
  return usingPeers(sandbox, [peer], async () => {
    await peer.deployAll();
    const done = Object.values(folders).map((folder) => join(folder, 'done'));
    await until('the logs have been written', () => done.every((file) => existsSync(file)), {
      seconds: 300,
      pause: 100,
    });
    await sleep(1000);
    const small = await question(peer, 'small', folders.small, scale);
    const great = await question(peer, 'great', folders.great, scale);
    return report(great.samples, await grepTime(peer), { small: small.peak, great: great.peak }, scale);
  });
}

async function question(
  peer: Davit,
  service: string,
  folder: string,
  { repetitions }: Scale,
): Promise<{ readonly samples: Sample[]; readonly peak: number }> {
  const [began = 0, ended = 0] = readFileSync(join(folder, 'done'), 'utf8').split(' ').map(Number);
  const since = new Date(began - 300).toISOString();
  const range = `since=${since}&until=${new Date(ended + 300).toISOString()}`;
  const ask = (name: string, query: string, expected: number) =>
    repeat(peer, name, { path: `/service/${service}/logs?${query}`, repetitions, expected });
  forgetPeakMemory(peer.daemonPid);
  const samples = [
    await ask('the whole minute', `${range}&lines=10000`, quietLines),
    await ask('its last 100 lines', `${range}&lines=100`, 100),
    await ask('one line of it, by grep', `${range}&grep=order%20500%20`, 1),
    await ask('the last 100 lines of all', 'lines=100', 100),
  ];
  return { samples, peak: peakMemory(peer.daemonPid) };
}

interface Question {
  readonly path: string;
  readonly repetitions: number;
  readonly expected: number;
}

async function repeat(peer: Davit, name: string, { path, repetitions, expected }: Question): Promise<Sample> {
  const milliseconds: number[] = [];
  let lines = 0;
  for (let count = 0; count < repetitions; count += 1) {
    const answer = await peer.agent.askFor<Page>('GET', path);
    milliseconds.push(answer.milliseconds);
    lines = answer.body.lines.length;
    if (lines !== expected) throw new Error(`${name}: ${lines} lines instead of ${expected}`);
  }
  return { name, milliseconds, lines };
}

/** What it takes to read all of it, which is what one does without an index. */
async function grepTime(peer: Davit): Promise<number> {
  const began = performance.now();
  await promisify(execFile)('grep', ['-c', 'order 500 ', ...peer.outputFiles('great')], {
    env: { ...process.env, LC_ALL: 'C' },
  });
  return performance.now() - began;
}

function report(samples: readonly Sample[], grep: number, { small, great }: Peaks, scale: Scale): Report {
  const [minute] = samples;
  const typical = median(minute?.milliseconds ?? []);
  return {
    title: `${scale.seconds} s with ${quietLines} lines out of a log of ${scale.bytes / 1e6} MB`,
    columns: ['', 'median', 'p95', 'first', 'lines'],
    rows: [
      ...samples.map(({ name, milliseconds, lines }) => [
        name,
        inMilliseconds(median(milliseconds)),
        inMilliseconds(quantile(milliseconds, 0.95)),
        inMilliseconds(milliseconds[0] ?? Number.NaN),
        String(lines),
      ]),
      ['grep through the file', inMilliseconds(grep), '', '', '1'],
    ],
    minimums: [
      {
        what: 'the minute, median',
        measured: inMilliseconds(typical),
        wanted: `under ${mostMilliseconds} ms`,
        held: typical < mostMilliseconds,
      },
      {
        what: 'agent memory at most, of that for the same questions to a log of 1 MB',
        measured: ratio(great, small),
        wanted: `at most ${mostGrowth}×`,
        held: great <= small * mostGrowth,
      },
    ],
    notes: [
      `Written by a service: half of it at once, then ${quietLines} lines in ${scale.seconds} s, then the other half; every answer is checked for its number of lines.`,
      `Agent resident at most while ${samples.length * scale.repetitions} questions were answered: ${inMebibytes(small)} for the small log, then ${inMebibytes(great)} for the great one.`,
      'supervisord and PM2 keep no time of a line.',
    ],
    samples: { samples, peaks: { small, great }, grep },
  };
}
