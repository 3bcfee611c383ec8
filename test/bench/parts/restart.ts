import { rotated, serviceIds, usingPeers } from '../contenders.ts';
import type { Peer } from '../peers/peer.ts';
import { inMilliseconds, type Minimum, type Report, ratio } from '../report.ts';
import type { Run } from '../run.ts';
import { median, quantile } from '../statistics.ts';

/** Restarts of services that run, answered when the new process has been started. */
export async function measureRestarts({ sandbox, contenders, quick }: Run): Promise<Report> {
  const services = serviceIds(10);
  const peers: Peer[] = [
    await contenders.davit(services),
    await contenders.supervisord(services),
    await contenders.pm2(services),
  ];
  const samples = new Map(peers.map(({ name }) => [name, [] as number[]]));
  await usingPeers(sandbox, peers, async () => {
    for (const peer of peers) for (const service of services) await peer.deploy(service);
    for (let round = 0; round < (quick ? 1 : 20); round += 1) {
      for (const peer of rotated(peers, round)) {
        for (const service of services) samples.get(peer.name)?.push(await peer.restart(service));
      }
    }
  });
  const base = median(samples.get('davit') ?? []);
  return {
    title: `Restart of a running service: ${samples.get('davit')?.length} restarts`,
    columns: ['', 'median', 'p95', 'of davit'],
    rows: [...samples].map(([name, list]) => [
      name,
      inMilliseconds(median(list)),
      inMilliseconds(quantile(list, 0.95)),
      ratio(median(list), base),
    ]),
    minimums: [atMostAs(base, median(samples.get('supervisord') ?? []))],
    notes: ['supervisord has no restart: stopProcess and startProcess, both waiting, added up.'],
    samples: Object.fromEntries(samples),
  };
}

function atMostAs(own: number, supervisord: number): Minimum {
  return {
    what: 'restart of `sleep 1000`, median',
    measured: `${inMilliseconds(own)}, supervisord ${inMilliseconds(supervisord)}`,
    wanted: "below supervisord's",
    held: own < supervisord,
  };
}
