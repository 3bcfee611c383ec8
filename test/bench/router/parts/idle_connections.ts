import { once } from 'node:events';
import { usingPeers } from '../../contenders.ts';
import { memoryOf } from '../../processes.ts';
import { inMebibytes, type Report, ratio } from '../../report.ts';
import type { Run } from '../../run.ts';
import { type Arena, usingArena } from '../arena.ts';
import { fileLimit } from '../file_limit.ts';
import { expectLine, runLoad, startProgram } from '../load.ts';
import type { RunningProxy } from '../proxies/proxy.ts';
import type { Proxies } from '../proxies.ts';
import { startProxies } from '../tournament.ts';

/** What a proxy holds, in bytes: without connections, and with them. */
interface Sample {
  readonly proxy: string;
  readonly before: number;
  readonly resting: number;
}

/** What WebSocket connections cost that are open and silent, each after one message and its echo. */
export async function measureIdleConnections(run: Run<Proxies>): Promise<Report> {
  const wanted = run.quick ? 1_000 : 10_000;
  // A proxy needs two files for each, and some for itself.
  const count = Math.min(wanted, Math.floor((fileLimit() - 1_000) / 2));
  const samples = await usingArena(run.sandbox, async (arena) => {
    const rules = { processes: 1, cores: arena.cores.proxy };
    const proxies = await startProxies(run, arena, rules);
    return usingPeers(run.sandbox, proxies, async () => {
      const all: Sample[] = [];
      // One that cannot hold so many is no reason not to measure the others.
      const none = (proxy: string) => ({ proxy, before: Number.NaN, resting: Number.NaN });
      for (const proxy of proxies) all.push(await measure(proxy, arena, count).catch(() => none(proxy.name)));
      return all;
    });
  });
  return report(samples, count);
}

async function measure(proxy: RunningProxy, arena: Arena, count: number): Promise<Sample> {
  const { programs, cores, folder } = arena;
  const options = { folder, cores: cores.load };
  // What a proxy needs for the first connections it keeps: that is not what one more costs.
  const few = [programs.websocket_load, 'echo', proxy.port, 100, 64, 0, 1].map(String);
  await runLoad(proxy, { command: few, ...options });
  const before = resident(proxy);
  const command = [programs.websocket_load, 'rest', proxy.port, count, 64].map(String);
  const { child, lines } = startProgram({ command, ...options });
  const ended = once(child, 'exit');
  await expectLine(lines, 'ready');
  const resting = resident(proxy);
  child.stdin?.end();
  await ended;
  return { proxy: proxy.name, before, resting };
}

function resident(proxy: RunningProxy): number {
  return proxy.pids().reduce((sum, pid) => sum + memoryOf(pid).resident, 0);
}

function report(samples: readonly Sample[], count: number): Report {
  const each = (name: string) => {
    const found = samples.find(({ proxy }) => proxy === name);
    return found === undefined ? Number.NaN : (found.resting - found.before) / count;
  };
  const inKibibytes = (bytes: number) => `${(bytes / 1_024).toFixed(1)} KiB`;
  const [davit, other] = [each('davit'), each('http-proxy-3')];
  return {
    title: `${count} WebSocket connections at rest`,
    columns: ['', 'for each', 'of davit', 'resident before', 'resident with them'],
    rows: samples.map(({ proxy, before, resting }) => [
      proxy,
      inKibibytes(each(proxy)),
      ratio(each(proxy), davit),
      inMebibytes(before),
      inMebibytes(resting),
    ]),
    minimums: [
      {
        what: 'memory of a connection at rest (that of http-proxy-3 in brackets)',
        measured: `${inKibibytes(davit)} (${inKibibytes(other)})`,
        wanted: 'below that of http-proxy-3',
        held: davit < other,
      },
    ],
    notes: [
      'What the processes have resident, not what the kernel holds for their sockets. One run of each: what a runtime has not collected yet counts too. NaN: it did not hold so many.',
    ],
    samples: { samples, count },
  };
}
