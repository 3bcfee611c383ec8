import { rotated, serviceIds, usingPeers } from '../contenders.ts';
import { LoadGenerator } from '../load_generator.ts';
import type { LoadResult } from '../load_process.ts';
import type { HttpPeer } from '../peers/peer.ts';
import { inMilliseconds, type Report, ratio } from '../report.ts';
import type { Run } from '../run.ts';
import { median } from '../statistics.ts';

const connections = 64;

/** The status of one service, asked for by many at once, with all services running. */
export async function measureStatus({ sandbox, contenders, quick }: Run): Promise<Report> {
  const services = serviceIds(quick ? 20 : 500);
  const peers: HttpPeer[] = [await contenders.davit(services), await contenders.supervisord(services)];
  const generator = await LoadGenerator.start(sandbox);
  const samples = new Map(peers.map(({ name }) => [name, [] as LoadResult[]]));
  await usingPeers(sandbox, peers, () =>
    sandbox.using(
      () => generator.stop(),
      async () => {
        for (const peer of peers) await peer.deployAll();
        for (let round = 0; round < (quick ? 1 : 3); round += 1) {
          for (const peer of rotated(peers, round)) {
            samples.get(peer.name)?.push(await loadOf(generator, peer, services, quick ? 1 : 8));
          }
        }
      },
    ),
  );
  return report(samples, services.length, generator.version);
}

function loadOf(
  generator: LoadGenerator,
  { url, headers, statusRequest }: HttpPeer,
  services: readonly string[],
  duration: number,
): Promise<LoadResult> {
  return generator.run({ url, connections, duration, headers, requests: services.map(statusRequest) });
}

function report(
  samples: ReadonlyMap<string, readonly LoadResult[]>,
  services: number,
  autocannon: string,
): Report {
  const middle = (name: string, of: (result: LoadResult) => number) =>
    median((samples.get(name) ?? []).map(of));
  const rate = (name: string) => middle(name, ({ requestsPerSecond }) => requestsPerSecond);
  return {
    title: `Status of one service, ${services} services running, ${connections} connections`,
    columns: ['', 'requests/s', 'of davit', 'p50', 'p99'],
    rows: [...samples.keys()].map((name) => [
      name,
      rate(name).toFixed(0),
      ratio(rate(name), rate('davit')),
      inMilliseconds(middle(name, ({ p50 }) => p50)),
      inMilliseconds(middle(name, ({ p99 }) => p99)),
    ]),
    notes: [
      `autocannon ${autocannon} in a process of its own on the same machine; every answer was a 2xx; medians of the rounds.`,
      'davit checks the API key of each request; supervisord (XML-RPC getProcessInfo) has no password set.',
    ],
    samples: Object.fromEntries(samples),
  };
}
