import { setTimeout as sleep } from 'node:timers/promises';
import { rotated, usingPeers } from '../contenders.ts';
import { type Memory, memoryOf } from '../processes.ts';
import { inMebibytes, inMilliseconds, type Report, ratio } from '../report.ts';
import type { Run } from '../run.ts';
import { median } from '../statistics.ts';

interface Sample {
  readonly startTime: number;
  readonly memory: Memory;
}

/** Daemons that have nothing to do: how soon they answer, and what they hold. */
export async function measureIdle({ sandbox, contenders, quick }: Run): Promise<Report> {
  const starts = [contenders.davit, contenders.supervisord, contenders.pm2];
  const samples = new Map<string, Sample[]>();
  for (let round = 0; round < (quick ? 1 : 7); round += 1) {
    for (const start of rotated(starts, round)) {
      const peer = await start([]);
      const memory = await usingPeers(sandbox, [peer], async () => {
        await sleep(1000);
        return memoryOf(peer.daemonPid);
      });
      samples.set(peer.name, [...(samples.get(peer.name) ?? []), { startTime: peer.startTime, memory }]);
    }
  }
  const middle = (name: string, of: (sample: Sample) => number | null) =>
    median((samples.get(name) ?? []).map((sample) => of(sample) ?? 0));
  const startTime = (name: string) => middle(name, (sample) => sample.startTime);
  return {
    title: 'A daemon without services',
    columns: ['', 'start to first answer', 'of davit', 'RSS', 'PSS', 'anonymous'],
    rows: [...samples.keys()].map((name) => [
      name,
      inMilliseconds(startTime(name)),
      ratio(startTime(name), startTime('davit')),
      inMebibytes(middle(name, ({ memory }) => memory.resident)),
      inMebibytes(middle(name, ({ memory }) => memory.proportional)),
      inMebibytes(middle(name, ({ memory }) => memory.anonymous)),
    ]),
    notes: [
      'From the start of the process, looked for every 5 ms: davit until `GET /health` answers 200 on a new data directory, supervisord until XML-RPC getState answers, PM2 until its socket accepts.',
      'Memory a second later; anonymous is what no file backs. The rest of davit is its binary, which is mapped.',
    ],
    samples: Object.fromEntries(samples),
  };
}
