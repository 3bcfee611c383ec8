import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { S6Log, whyNoS6Log } from '../peers/s6_log.ts';
import { processorTime } from '../processes.ts';
import { program } from '../programs.ts';
import { inSeconds, type Report } from '../report.ts';
import type { Run } from '../run.ts';
import { until } from '../until.ts';

const gigabyte = 1e9;
/** Seconds of processor time for a gigabyte. */
const mostSeconds = 0.1;
const lineSize = 100;

/** How many lines each write holds. */
const modes = [
  { name: '64 KiB a write', lines: Math.floor(65_536 / lineSize) },
  { name: 'a line a write', lines: 1 },
] as const;

/** Whoever keeps the output of one service. */
interface Captor {
  readonly daemonPid: number;
  readonly folder: string;
  outputBytes(service: string): number;
  stop(): Promise<void>;
}

interface Sample {
  /** Seconds of the processor that the daemon used for a gigabyte. */
  readonly cpu: number;
  /** Seconds that the writer took for a gigabyte. */
  readonly writing: number;
}

/** What the output of a service costs whoever keeps it. */
export async function measureCapture({ sandbox, contenders, quick }: Run): Promise<Report> {
  const bytes = quick ? gigabyte / 5 : gigabyte;
  const missing = await whyNoS6Log();
  type Start = (command: readonly string[]) => Promise<Captor>;
  const starts: Record<string, Start> = {
    davit: (command) => deployed(contenders.davit(['bulk'], { command: () => command, keepAll: true })),
    'davit, keeping 256 MB': (command) => deployed(contenders.davit(['bulk'], { command: () => command })),
    supervisord: (command) =>
      deployed(contenders.supervisord(['bulk'], { command: () => command, keepAll: true })),
    PM2: (command) => deployed(contenders.pm2(['bulk'], { command: () => command, keepAll: true })),
    ...(missing === null && { 's6-log': async (command) => new S6Log(sandbox.makeFolder('s6'), command) }),
  };
  const samples: Record<string, Sample[]> = {};
  for (const [name, start] of Object.entries(starts)) {
    for (const { lines } of modes) {
      const folder = sandbox.makeFolder('bulk');
      const captor = await start(program('bulk.pl', folder, bytes, lines));
      const sample = await sandbox.using(
        () => captor.stop(),
        () => measure(captor, folder, bytes),
      );
      rmSync(captor.folder, { recursive: true, force: true });
      samples[name] = [...(samples[name] ?? []), sample];
    }
  }
  return report(samples, bytes, missing);
}

interface Deployable extends Captor {
  deploy(service: string): Promise<number>;
}

async function deployed(starting: Promise<Deployable>): Promise<Captor> {
  const peer = await starting;
  await peer.deploy('bulk');
  return peer;
}

async function measure(captor: Captor, folder: string, bytes: number): Promise<Sample> {
  await sleep(500);
  const before = processorTime(captor.daemonPid);
  writeFileSync(join(folder, 'go'), '');
  const done = join(folder, 'done');
  await until('the writer is done', () => existsSync(done), { seconds: 300, pause: 50 });
  await until('all has been kept', () => captor.outputBytes('bulk') === bytes, { seconds: 120, pause: 50 });
  await sleep(500);
  const scale = gigabyte / bytes;
  const cpu = (processorTime(captor.daemonPid) - before) * scale;
  return { cpu, writing: Number(readFileSync(done, 'utf8')) * scale };
}

function report(
  samples: Readonly<Record<string, readonly Sample[]>>,
  bytes: number,
  missing: string | null,
): Report {
  const worst = Math.max(
    ...[samples['davit'], samples['davit, keeping 256 MB']].flatMap((list = []) =>
      list.map(({ cpu }) => cpu),
    ),
  );
  return {
    title: `Capture of ${bytes / 1e6} MB in lines of ${lineSize} bytes: seconds for a GB`,
    columns: ['', ...modes.flatMap(({ name }) => [`CPU, ${name}`, `writer took`])],
    rows: [
      ...Object.entries(samples).map(([name, list]) => [
        name,
        ...list.flatMap(({ cpu, writing }) => [inSeconds(cpu), inSeconds(writing)]),
      ]),
      ...(missing === null ? [] : [['s6-log', `skipped: ${missing}`]]),
    ],
    minimums: [
      {
        what: 'agent CPU for a GB, the worst of all',
        measured: inSeconds(worst),
        wanted: `under ${mostSeconds} s`,
        held: worst < mostSeconds,
      },
    ],
    notes: [
      'CPU of the daemon (s6-log: of the logger) from the first write until all is in the file and half a second on.',
      'The peers keep all in one file without rotation; so does davit in its first row, in the second it keeps its default of 256 MB.',
    ],
    samples: { ...samples },
  };
}
