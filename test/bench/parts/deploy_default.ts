import { rotated, serviceIds, usingPeers } from '../contenders.ts';
import { inMilliseconds, type Report, ratio } from '../report.ts';
import type { Run } from '../run.ts';
import { median, quantile } from '../statistics.ts';

/** Deploys that count only when the process has stayed up for a second, as both daemons have it by default. */
export async function measureDefaultDeploys({ sandbox, contenders, quick }: Run): Promise<Report> {
  const services = serviceIds(quick ? 2 : 10);
  const proof = '1s';
  const peers = [
    await contenders.davit(services, { proof }),
    await contenders.supervisord(services, { proof }),
  ];
  const samples = new Map(peers.map(({ name }) => [name, [] as number[]]));
  await usingPeers(sandbox, peers, async () => {
    for (const [round, service] of services.entries()) {
      for (const peer of rotated(peers, round)) samples.get(peer.name)?.push(await peer.deploy(service));
    }
  });
  const base = median(samples.get('davit') ?? []);
  return {
    title: `Deploy proved by a second of uptime: ${services.length} new services one after another`,
    columns: ['', 'median', 'p95', 'of davit', 'over the second'],
    rows: [...samples].map(([name, list]) => [
      name,
      inMilliseconds(median(list)),
      inMilliseconds(quantile(list, 0.95)),
      ratio(median(list), base),
      inMilliseconds(median(list) - 1000),
    ]),
    notes: ['The defaults: davit `min_uptime: 1s`, supervisord `startsecs=1`. PM2 has nothing of the kind.'],
    samples: Object.fromEntries(samples),
  };
}
