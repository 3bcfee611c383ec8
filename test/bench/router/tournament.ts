import { rotated, usingPeers } from '../contenders.ts';
import { freePort } from '../http_client.ts';
import type { Run } from '../run.ts';
import type { Arena } from './arena.ts';
import { type LoadResult, runLoad } from './load.ts';
import type { RunningProxy } from './proxies/proxy.ts';
import type { Proxies } from './proxies.ts';

/** How long a load runs: seconds before it is measured, and while it is. */
export interface Length {
  readonly warmUp: number;
  readonly seconds: number;
}

/** One kind of load. */
export interface Trial {
  readonly name: string;
  command(arena: Arena, port: number, length: Length): readonly (string | number)[];
}

export interface Result {
  readonly trial: string;
  readonly proxy: string;
  /** One of each round. */
  readonly rounds: readonly LoadResult[];
}

interface Rules {
  readonly trials: readonly Trial[];
  /** Of each proxy, and on which cores. */
  readonly processes: number;
  readonly cores: string;
  readonly loadCores: string;
}

/** Every proxy, started beside the others: who is not asked does nothing. */
export async function startProxies(
  { sandbox, contenders }: Run<Proxies>,
  { backend }: Arena,
  { processes, cores }: Pick<Rules, 'processes' | 'cores'>,
): Promise<RunningProxy[]> {
  const started: RunningProxy[] = [];
  try {
    for (const kind of contenders.kinds) {
      const folder = sandbox.makeFolder('proxy');
      started.push(await kind.start({ folder, backend, port: await freePort(), processes, cores }));
    }
  } catch (error) {
    await Promise.all(started.map((proxy) => proxy.stop()));
    throw error;
  }
  return started;
}

/** Each trial for each proxy, in turn, round by round. */
export async function compete(run: Run<Proxies>, arena: Arena, rules: Rules): Promise<Result[]> {
  const proxies = await startProxies(run, arena, rules);
  return usingPeers(run.sandbox, proxies, async () => {
    const results: Result[] = [];
    for (const trial of rules.trials) results.push(...(await contest(run, arena, rules, trial, proxies)));
    return results;
  });
}

async function contest(
  { quick }: Run<Proxies>,
  arena: Arena,
  { loadCores }: Rules,
  trial: Trial,
  proxies: readonly RunningProxy[],
): Promise<Result[]> {
  const once = (proxy: RunningProxy, length: Length) => {
    const command = trial.command(arena, proxy.port, length).map(String);
    return runLoad(proxy, { command, folder: arena.folder, cores: loadCores });
  };
  const rounds = new Map<RunningProxy, LoadResult[]>(proxies.map((proxy) => [proxy, []]));
  // Whoever compiles what runs often has done so before the first round.
  for (const proxy of proxies) await once(proxy, { warmUp: 0, seconds: quick ? 1 : 2 });
  for (let round = 0; round < (quick ? 1 : 5); round += 1) {
    for (const proxy of rotated(proxies, round))
      rounds.get(proxy)?.push(await once(proxy, { warmUp: 0.5, seconds: quick ? 1 : 2 }));
  }
  return proxies.map((proxy) => ({
    trial: trial.name,
    proxy: proxy.name,
    rounds: rounds.get(proxy) ?? [],
  }));
}
