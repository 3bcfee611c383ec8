import { BareSpawn } from '../bare_spawn.ts';
import { rotated, serviceIds, usingPeers } from '../contenders.ts';
import type { Peer } from '../peers/peer.ts';
import { inMilliseconds, type Report, ratio } from '../report.ts';
import type { Run } from '../run.ts';
import { median, quantile } from '../statistics.ts';

const blockSize = 20;

const proves: Record<string, string> = {
  davit: 'the shell was executed',
  supervisord: 'it forked; the file exists',
  PM2: 'the program was executed',
  'bare spawn': 'the program was executed',
};

/** Different new services one after another, each answered before the next, in alternating blocks. */
export async function measureSingleDeploys({ sandbox, contenders, quick }: Run): Promise<Report> {
  const services = serviceIds(quick ? blockSize : 200);
  const bare = new BareSpawn(sandbox);
  const peers: Peer[] = [
    await contenders.davit(services),
    await contenders.supervisord(services),
    await contenders.pm2(services),
  ];
  const samples = await usingPeers(sandbox, peers, () =>
    sandbox.using(
      () => bare.stop(),
      () => measureBlocks(peers, bare, services),
    ),
  );
  return report(samples);
}

async function measureBlocks(
  peers: readonly Peer[],
  bare: BareSpawn,
  services: readonly string[],
): Promise<Map<string, number[]>> {
  const samples = new Map(
    [...peers.map(({ name }) => name), 'bare spawn'].map((name) => [name, [] as number[]]),
  );
  const measured = [
    ...peers.map((peer) => ({ name: peer.name, measure: (block: string[]) => deployEach(peer, block) })),
    { name: 'bare spawn', measure: (block: string[]) => bare.measure(block.length) },
  ];
  for (let at = 0; at < services.length; at += blockSize) {
    for (const { name, measure } of rotated(measured, at / blockSize)) {
      samples.get(name)?.push(...(await measure(services.slice(at, at + blockSize))));
    }
  }
  return samples;
}

async function deployEach(peer: Peer, services: readonly string[]): Promise<number[]> {
  const samples: number[] = [];
  for (const service of services) samples.push(await peer.deploy(service));
  return samples;
}

function report(samples: ReadonlyMap<string, number[]>): Report {
  const medianOf = (name: string) => median(samples.get(name) ?? []);
  const rows = [...samples].map(([name, list]) => [
    name,
    inMilliseconds(median(list)),
    inMilliseconds(quantile(list, 0.95)),
    ratio(medianOf(name), medianOf('davit')),
    inMilliseconds(medianOf(name) - medianOf('bare spawn')),
    proves[name] ?? '',
  ]);
  const count = samples.get('davit')?.length ?? 0;
  return {
    title: `Deploy of \`sleep 1000\`, answered: ${count} new services one after another`,
    columns: ['', 'median', 'p95', 'of davit', 'over bare spawn', 'the answer proves'],
    rows,
    notes: [
      'No waiting: davit `min_uptime: 0s`, supervisord `startsecs=0`. Blocks of 20 alternate.',
      'supervisord answers when it has forked: that the program could be executed shows later.',
    ],
    samples: Object.fromEntries(samples),
  };
}
