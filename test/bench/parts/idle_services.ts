import { setTimeout as sleep } from 'node:timers/promises';
import { serviceIds, usingPeers } from '../contenders.ts';
import type { Peer } from '../peers/peer.ts';
import { type Memory, memoryOf, processorTime } from '../processes.ts';
import { inMebibytes, inPercent, type Report, ratio } from '../report.ts';
import type { Run } from '../run.ts';

const mostGrowth = 1.3;
const mostShare = 0.005;

interface Moment {
  readonly memory: Memory;
  /** Of one core. */
  readonly share: number;
}

interface Sample {
  readonly without: Moment;
  readonly loaded: Moment;
}

/** What a daemon holds and uses while nothing happens, without services and with many. */
export async function measureIdleServices({ sandbox, contenders, quick }: Run): Promise<Report> {
  const services = serviceIds(quick ? 20 : 200);
  const seconds = quick ? 4 : 30;
  const peers: Peer[] = [
    await contenders.davit(services),
    await contenders.supervisord(services),
    await contenders.pm2(services),
  ];
  const samples = await usingPeers(sandbox, peers, async () => {
    const without = await observe(peers, seconds);
    for (const peer of peers) await peer.deployAll();
    const loaded = await observe(peers, seconds);
    return new Map(peers.map(({ name }) => [name, { without: at(without, name), loaded: at(loaded, name) }]));
  });
  return report(samples, services.length, seconds);
}

function at(moments: ReadonlyMap<string, Moment>, name: string): Moment {
  const moment = moments.get(name);
  if (moment === undefined) throw new Error(`${name} was not observed`);
  return moment;
}

/** All at once: idle daemons do not disturb each other. */
async function observe(peers: readonly Peer[], seconds: number): Promise<Map<string, Moment>> {
  await sleep(3000);
  const before = peers.map(({ daemonPid }) => processorTime(daemonPid));
  await sleep(seconds * 1000);
  return new Map(
    peers.map(({ name, daemonPid }, index) => [
      name,
      {
        memory: memoryOf(daemonPid),
        share: (processorTime(daemonPid) - (before[index] ?? 0)) / seconds,
      },
    ]),
  );
}

function report(samples: ReadonlyMap<string, Sample>, services: number, seconds: number): Report {
  const held = ({ memory }: Moment) => memory.proportional ?? memory.resident;
  const davit = samples.get('davit');
  const growth = davit === undefined ? Number.NaN : held(davit.loaded) / held(davit.without);
  const share = davit === undefined ? Number.NaN : Math.max(davit.without.share, davit.loaded.share);
  return {
    title: `Idle daemons without services and with ${services}`,
    columns: [
      '',
      'PSS with 0',
      `PSS with ${services}`,
      'growth',
      `RSS with ${services}`,
      'CPU with 0',
      `CPU with ${services}`,
    ],
    rows: [...samples].map(([name, { without, loaded }]) => [
      name,
      inMebibytes(held(without)),
      inMebibytes(held(loaded)),
      ratio(held(loaded), held(without)),
      inMebibytes(loaded.memory.resident),
      inPercent(without.share),
      inPercent(loaded.share),
    ]),
    minimums: [
      {
        what: `agent memory (PSS) with ${services} services against none`,
        measured: ratio(growth, 1),
        wanted: `at most ${mostGrowth}×`,
        held: growth <= mostGrowth,
      },
      {
        what: `agent CPU, idle with 0 and ${services} services`,
        measured: `${inPercent(share)} of a core`,
        wanted: `under ${mostShare * 100} %`,
        held: share < mostShare,
      },
    ],
    notes: [
      `The daemons alone, over ${seconds} s, three seconds after the last request; every service is \`sleep 1000\`.`,
    ],
    samples: Object.fromEntries(samples),
  };
}
