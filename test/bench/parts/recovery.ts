import { setTimeout as sleep } from 'node:timers/promises';
import { Announcements } from '../announcements.ts';
import { rotated, usingPeers } from '../contenders.ts';
import type { Peer } from '../peers/peer.ts';
import { inMilliseconds, type Minimum, type Report, ratio } from '../report.ts';
import type { Run } from '../run.ts';
import { median, quantile } from '../statistics.ts';

/** How long a process runs before it is killed, in milliseconds: at no moment of a daemon's own rhythm. */
const shortestLife = 300;
const lifeSpread = 1000;

/** From the SIGKILL of a program to the first thing that its replacement does. */
export async function measureRecovery({ sandbox, contenders, quick }: Run): Promise<Report> {
  const announcements = new Announcements(sandbox.makeFolder('announcements'));
  const starts = { davit: contenders.davit, supervisord: contenders.supervisord, PM2: contenders.pm2 };
  const peers: Peer[] = [];
  for (const [name, start] of Object.entries(starts)) {
    const command = () => announcements.command(name);
    peers.push(await start(['s1'], { command, restarts: 'at once' }));
  }
  const samples = new Map(peers.map(({ name }) => [name, [] as number[]]));
  await sandbox.using(
    () => announcements.close(),
    () =>
      usingPeers(sandbox, peers, async () => {
        const pids = new Map<string, number>();
        for (const peer of peers) {
          const announced = announcements.next(peer.name);
          await peer.deploy('s1');
          pids.set(peer.name, (await announced).pid);
        }
        for (let round = 0; round < (quick ? 3 : 50); round += 1) {
          for (const { name } of rotated(peers, round)) {
            await sleep(shortestLife + (Math.random() * lifeSpread) / peers.length);
            const announced = announcements.next(name);
            const killed = performance.now();
            process.kill(pids.get(name) ?? Number.NaN, 'SIGKILL');
            const { pid, at } = await announced;
            pids.set(name, pid);
            samples.get(name)?.push(at - killed);
          }
        }
      }),
  );
  return report(samples);
}

function report(samples: ReadonlyMap<string, readonly number[]>): Report {
  const base = median(samples.get('davit') ?? []);
  const others = [...samples].filter(([name]) => name !== 'davit');
  return {
    title: `SIGKILL to a program until its replacement runs: ${samples.get('davit')?.length} kills each`,
    columns: ['', 'median', 'p95', 'of davit'],
    rows: [...samples].map(([name, list]) => [
      name,
      inMilliseconds(median(list)),
      inMilliseconds(quantile(list, 0.95)),
      ratio(median(list), base),
    ]),
    minimums: others.map(([name, list]) => faster(name, base, median(list))),
    notes: ['Measured when the replacement, a shell, has written into a named pipe.'],
    samples: Object.fromEntries(samples),
  };
}

function faster(name: string, own: number, other: number): Minimum {
  return {
    what: `recovery, median, against ${name}`,
    measured: `${inMilliseconds(own)}, ${name} ${inMilliseconds(other)}`,
    wanted: `below that of ${name}`,
    held: own < other,
  };
}
