import { setTimeout as sleep } from 'node:timers/promises';
import { Announcements } from '../announcements.ts';
import { usingPeers } from '../contenders.ts';
import type { Peer, ServiceOptions } from '../peers/peer.ts';
import { processorTimeWithChildren } from '../processes.ts';
import { inPercent, type Minimum, type Report } from '../report.ts';
import type { Run } from '../run.ts';

interface Contestant {
  readonly name: string;
  readonly start: (services: readonly string[], options: ServiceOptions) => Promise<Peer>;
  readonly restarts: 'at once' | 'unlimited';
  /** Seconds until it restarts as it goes on to. */
  readonly settling: number;
}

interface Result {
  readonly name: string;
  /** Of a core: the daemon with all that it started and that has ended. */
  readonly share: number;
  readonly perMinute: number;
}

/** What it costs to start a program again and again that ends at once. */
export async function measureRestartLoop({ sandbox, contenders, quick }: Run): Promise<Report> {
  const { davit, supervisord, pm2 } = contenders;
  const contestants: Contestant[] = [
    { name: 'davit, defaults without a limit', start: davit, restarts: 'unlimited', settling: 65 },
    { name: 'davit, as fast as it can be told', start: davit, restarts: 'at once', settling: 5 },
    { name: 'supervisord', start: supervisord, restarts: 'at once', settling: 5 },
    { name: 'PM2', start: pm2, restarts: 'at once', settling: 5 },
  ];
  const results: Result[] = [];
  for (const { name, start, restarts, settling } of contestants) {
    const announcements = new Announcements(sandbox.makeFolder('announcements'));
    const command = () => announcements.command('loop', true);
    const peer = await start(['s1'], { command, restarts });
    const seconds = quick ? 3 : 60;
    const result = await sandbox.using(
      () => announcements.close(),
      () =>
        usingPeers(sandbox, [peer], async () => {
          // An answer that it did not stay up is as good as any.
          await peer.deploy('s1').catch(() => 0);
          await sleep((quick ? 3 : settling) * 1000);
          const before = processorTimeWithChildren(peer.daemonPid);
          const count = announcements.count('loop');
          await sleep(seconds * 1000);
          const used = processorTimeWithChildren(peer.daemonPid) - before;
          const restarted = announcements.count('loop') - count;
          return { name, share: used / seconds, perMinute: (restarted / seconds) * 60 };
        }),
    );
    results.push(result);
  }
  return {
    title: 'A program that ends at once, restarted for ever',
    columns: ['', 'of a core', 'restarts a minute'],
    rows: results.map(({ name, share, perMinute }) => [name, inPercent(share), perMinute.toFixed(0)]),
    minimums: results.filter(({ name }) => name.startsWith('davit')).map(cheap),
    notes: [
      'The daemon with everything that it started, over a minute once the waits are as long as they get.',
      'supervisord with startsecs=0; with its default it gives up after three restarts.',
    ],
    samples: { results },
  };
}

function cheap({ name, share }: Result): Minimum {
  return { what: name, measured: inPercent(share), wanted: 'under 1 % of a core', held: share < 0.01 };
}
