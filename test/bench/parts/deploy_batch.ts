import { setTimeout as sleep } from 'node:timers/promises';
import { rotated, serviceIds, usingPeers } from '../contenders.ts';
import type { Peer } from '../peers/peer.ts';
import { isOwnChild, type Memory, memoryOf, processesOf, runningIn } from '../processes.ts';
import { inMebibytes, inMilliseconds, type Report, ratio } from '../report.ts';
import type { Run } from '../run.ts';
import { median } from '../statistics.ts';

interface Sample {
  /** From the request until it was answered and every service was seen running. */
  readonly milliseconds: number;
  readonly before: Memory;
  readonly after: Memory;
  /** What the daemon keeps beside itself and the services, such as a shell for each. */
  readonly helpers: { readonly count: number; readonly proportional: number };
}

/** All services by one call, on a fresh daemon each time; the processes are counted, not believed. */
export async function measureBatchDeploys({ sandbox, contenders, quick }: Run): Promise<Report> {
  const services = serviceIds(quick ? 20 : 200);
  const variants: { name: string; start: () => Promise<Peer> }[] = [
    { name: 'davit', start: () => contenders.davit(services) },
    { name: 'supervisord', start: () => contenders.supervisord(services) },
    { name: 'PM2', start: () => contenders.pm2(services) },
    { name: 'davit, up for 1 s', start: () => contenders.davit(services, { proof: '1s' }) },
    { name: 'supervisord, up for 1 s', start: () => contenders.supervisord(services, { proof: '1s' }) },
  ];
  const samples = new Map(variants.map(({ name }) => [name, [] as Sample[]]));
  for (let round = 0; round < (quick ? 1 : 5); round += 1) {
    for (const { name, start } of rotated(variants, round)) {
      const peer = await start();
      const sample = await usingPeers(sandbox, [peer], () => measure(peer, services.length));
      samples.get(name)?.push(sample);
    }
  }
  return report(samples, services.length);
}

async function measure(peer: Peer, count: number): Promise<Sample> {
  await sleep(1000);
  const before = memoryOf(peer.daemonPid);
  const answered = await peer.deployAll();
  const counted = await untilRunning(peer, count);
  await sleep(1000);
  return {
    milliseconds: answered + counted,
    before,
    after: memoryOf(peer.daemonPid),
    helpers: helpersOf(peer),
  };
}

/** Milliseconds until all run; 0 when the first look already finds them all. */
async function untilRunning({ servicesFolder, name }: Peer, count: number): Promise<number> {
  const began = performance.now();
  for (let looks = 0; ; looks += 1) {
    const found = runningIn(servicesFolder, 'sleep').length;
    const waited = performance.now() - began;
    if (found === count) return looks === 0 ? 0 : waited;
    if (waited > 30_000) throw new Error(`${name} runs ${found} services instead of ${count}`);
    await sleep(2);
  }
}

/** Neither the services nor what the bench itself started, which is the daemon and PM2's client. */
function helpersOf({ folder, servicesFolder }: Peer): Sample['helpers'] {
  const services = new Set(runningIn(servicesFolder, 'sleep'));
  const helpers = processesOf(folder).filter((pid) => !isOwnChild(pid) && !services.has(pid));
  const proportional = helpers.reduce((sum, pid) => sum + (memoryOf(pid).proportional ?? 0), 0);
  return { count: helpers.length, proportional };
}

function report(samples: ReadonlyMap<string, readonly Sample[]>, count: number): Report {
  const time = (list: readonly Sample[]) => median(list.map(({ milliseconds }) => milliseconds));
  const memory = (list: readonly Sample[], of: (sample: Sample) => number | null) =>
    inMebibytes(median(list.map((sample) => of(sample) ?? 0)));
  const base = (name: string) => name.replace(/^[^,]+/, 'davit');
  return {
    title: `${count} services started by one call`,
    columns: [
      '',
      'until all run',
      'of davit',
      'RSS with 0',
      `RSS with ${count}`,
      `PSS with ${count}`,
      'anonymous',
      'PSS of helpers',
    ],
    rows: [...samples].map(([name, list]) => [
      name,
      inMilliseconds(time(list)),
      ratio(time(list), time(samples.get(base(name)) ?? [])),
      memory(list, ({ before }) => before.resident),
      memory(list, ({ after }) => after.resident),
      memory(list, ({ after }) => after.proportional),
      memory(list, ({ after }) => after.anonymous),
      memory(list, ({ helpers }) => helpers.proportional),
    ]),
    notes: [
      'Wall time on a fresh daemon, until the answer is there and all processes have been counted; median of the rounds.',
      'Memory of the daemon alone, a second after; helpers are the processes it keeps beside each service.',
    ],
    samples: Object.fromEntries(samples),
  };
}
