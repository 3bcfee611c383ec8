import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { usingPeers } from '../contenders.ts';
import type { Davit } from '../peers/davit.ts';
import { forgetPeakMemory, memoryOf, peakMemory } from '../processes.ts';
import { program } from '../programs.ts';
import { inMebibytes, inMilliseconds, type Report } from '../report.ts';
import type { Run } from '../run.ts';
import { median, quantile } from '../statistics.ts';
import { until } from '../until.ts';

const mostMilliseconds = 50;
/** How much memory may come and go with the questions: a small part of any such log. */
const mostMemory = 32 * 2 ** 20;
const quietLines = 1000;

interface Page {
  readonly lines: readonly { readonly line: string }[];
}

interface Sample {
  readonly name: string;
  readonly milliseconds: readonly number[];
  readonly lines: number;
}

interface Memory {
  readonly before: number;
  readonly peak: number;
}

interface Scale {
  readonly bytes: number;
  /** How long the quiet minute is. */
  readonly seconds: number;
  readonly repetitions: number;
}

/** A minute of quiet is looked for between the two halves of a great log. */
export async function measureQuery({ sandbox, contenders, quick }: Run): Promise<Report> {
  const scale: Scale = quick
    ? { bytes: 2e8, seconds: 3, repetitions: 20 }
    : { bytes: 1e9, seconds: 60, repetitions: 100 };
  const folder = sandbox.makeFolder('minute');
  const command = () => program('minute.pl', folder, scale.bytes, scale.seconds, quietLines);
  const peer = await contenders.davit(['great'], { command, keepAll: true });
  return usingPeers(sandbox, [peer], async () => {
    await peer.deploy('great');
    const done = join(folder, 'done');
    await until('the log has been written', () => existsSync(done), { seconds: 300, pause: 100 });
    await sleep(1000);
    const [began = 0, ended = 0] = readFileSync(done, 'utf8').split(' ').map(Number);
    const since = new Date(began - 300).toISOString();
    const range = `since=${since}&until=${new Date(ended + 300).toISOString()}`;
    const before = memoryOf(peer.daemonPid).resident;
    forgetPeakMemory(peer.daemonPid);
    const samples = [
      await repeat(peer, 'the whole minute', `${range}&lines=10000`, scale, quietLines),
      await repeat(peer, 'its last 100 lines', `${range}&lines=100`, scale, 100),
      await repeat(peer, 'one line of it, by grep', `${range}&grep=order%20500%20`, scale, 1),
      await repeat(peer, 'the last 100 lines of all', 'lines=100', scale, 100),
    ];
    const memory = { before, peak: peakMemory(peer.daemonPid) };
    return report(samples, await grepTime(peer), memory, scale);
  });
}

async function repeat(
  peer: Davit,
  name: string,
  query: string,
  { repetitions }: Scale,
  expected: number,
): Promise<Sample> {
  const milliseconds: number[] = [];
  let lines = 0;
  for (let count = 0; count < repetitions; count += 1) {
    const answer = await peer.agent.askFor<Page>('GET', `/service/great/logs?${query}`);
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

function report(samples: readonly Sample[], grep: number, { before, peak }: Memory, scale: Scale): Report {
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
        what: 'agent memory that the questions add at most',
        measured: inMebibytes(peak - before),
        wanted: `under ${inMebibytes(mostMemory)}`,
        held: peak - before < mostMemory,
      },
    ],
    notes: [
      `Written by a service: half of it at once, then ${quietLines} lines in ${scale.seconds} s, then the other half; every answer is checked for its number of lines.`,
      `Agent resident before: ${inMebibytes(before)}; at most while ${samples.length * scale.repetitions} questions were answered: ${inMebibytes(peak)}.`,
      'supervisord and PM2 keep no time of a line.',
    ],
    samples: { samples, memory: { before, peak }, grep },
  };
}
