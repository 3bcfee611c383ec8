import { setTimeout as sleep } from 'node:timers/promises';
import { serviceIds, usingPeers } from '../contenders.ts';
import type { Peer } from '../peers/peer.ts';
import { processorTime } from '../processes.ts';
import { program } from '../programs.ts';
import { inPercent, type Report, ratio } from '../report.ts';
import type { Run } from '../run.ts';
import { until } from '../until.ts';

const mostShare = 0.03;
const rate = 20;

interface Sample {
  /** Of one core. */
  readonly share: number;
  /** Lines per second of all services together. */
  readonly reached: number;
}

/** What many services that each write a little cost. */
export async function measureSteady({ sandbox, contenders, quick }: Run): Promise<Report> {
  const services = serviceIds(quick ? 60 : 500);
  const options = { command: (service: string) => program('numbered.pl', service, rate), keepAll: true };
  const starts: (() => Promise<Peer>)[] = [
    () => contenders.davit(services, options),
    () => contenders.supervisord(services, options),
    () => contenders.pm2(services, options),
  ];
  const samples = new Map<string, Sample>();
  for (const start of starts) {
    const peer = await start();
    const sample = await usingPeers(sandbox, [peer], () => measure(peer, services, quick ? 5 : 30));
    samples.set(peer.name, sample);
  }
  return report(samples, services.length);
}

async function measure(peer: Peer, services: readonly string[], seconds: number): Promise<Sample> {
  await peer.deployAll();
  const bytes = () => services.reduce((sum, service) => sum + peer.outputBytes(service), 0);
  await until('all services write', () => services.every((service) => peer.outputBytes(service) > 0), {
    pause: 200,
  });
  await sleep(2000);
  const before = { cpu: processorTime(peer.daemonPid), bytes: bytes(), at: performance.now() };
  await sleep(seconds * 1000);
  const took = (performance.now() - before.at) / 1000;
  const lineSize = (service: string) => service.length + 27;
  const average = services.reduce((sum, service) => sum + lineSize(service), 0) / services.length;
  return {
    share: (processorTime(peer.daemonPid) - before.cpu) / took,
    reached: (bytes() - before.bytes) / average / took,
  };
}

function report(samples: ReadonlyMap<string, Sample>, services: number): Report {
  const davit = samples.get('davit')?.share ?? Number.NaN;
  return {
    title: `${services} services that write ${rate} lines a second each`,
    columns: ['', 'of a core', 'of davit', 'lines/s reached'],
    rows: [...samples].map(([name, { share, reached }]) => [
      name,
      inPercent(share),
      ratio(share, davit),
      reached.toFixed(0),
    ]),
    minimums: [
      {
        what: `agent CPU with ${services} × ${rate} lines/s`,
        measured: `${inPercent(davit)} of a core`,
        wanted: `under ${mostShare * 100} %`,
        held: davit < mostShare,
      },
    ],
    notes: ['CPU of the daemon alone, once all services have been running for two seconds.'],
    samples: Object.fromEntries(samples),
  };
}
