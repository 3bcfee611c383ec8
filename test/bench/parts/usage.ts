import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { readCounted } from '../../../src/processes/counted_process.ts';
import { ask } from '../ask.ts';
import { serviceIds, usingPeers } from '../contenders.ts';
import { ControlGroup } from '../control_group.ts';
import type { Davit } from '../peers/davit.ts';
import { processorTime } from '../processes.ts';
import { inMilliseconds, inPercent, type Report } from '../report.ts';
import type { Run } from '../run.ts';
import type { Sandbox } from '../sandbox.ts';
import { median, quantile } from '../statistics.ts';
import type { Look, UsageQuestion } from '../usage_process.ts';

/** How often usage is measured by default, in milliseconds. */
const interval = 10_000;
const mostShare = 0.02;
const longestWait = 10;
const ways = { 'with control groups': 'auto', 'without control groups': 'off' } as const;
/** As many facts of each process as davit reads, but for its open files. */
const psArgs = ['-eo', 'pid,ppid,pgid,sid,stat,time,rss,nlwp'];

/** What one look at the processes of the host took. */
interface Sample {
  readonly milliseconds: number;
  readonly cpu_milliseconds: number;
}

interface Result {
  readonly looks: readonly Look[];
  readonly ps: readonly Sample[];
}

/** What it takes to measure what 500 instances use, against `ps` on the same host at the same time. */
export async function measureUsage({ sandbox, contenders, quick }: Run): Promise<Report> {
  const count = quick ? 50 : 500;
  const rounds = quick ? 10 : 100;
  const results = new Map<string, Result>();
  for (const [name, controlGroups] of Object.entries(ways))
    results.set(name, await measureTrees(sandbox, { count, rounds, controlGroups }));
  const share = await measureAgent({ sandbox, contenders, quick }, count);
  return report(results, { count, share, seconds: quick ? 12 : 30 });
}

async function measureTrees(
  sandbox: Sandbox,
  { count, rounds, controlGroups }: { count: number; rounds: number; controlGroups: 'auto' | 'off' },
): Promise<Result> {
  const folder = sandbox.makeFolder(`usage-${controlGroups}`);
  const group = controlGroups === 'auto' ? ControlGroup.make(folder) : null;
  const child = startProcess();
  if (child.pid !== undefined) group?.add(child.pid);
  const close = async () => {
    await ask(child, { end: true } satisfies UsageQuestion).catch(() => {});
    child.kill();
    await group?.remove();
  };
  return sandbox.using(close, async () => {
    await ask(child, { start: count, folder, controlGroups } satisfies UsageQuestion);
    const looks: Look[] = [];
    const ps: Sample[] = [];
    // The first look reads also what never changes of a process.
    for (let round = 0; round <= rounds; round++) {
      const look = await ask<Look>(child, { look: true } satisfies UsageQuestion);
      if (round > 0) looks.push(look);
      if (round % 3 === 1) ps.push(runPs());
    }
    return { looks, ps };
  });
}

function startProcess(): ChildProcess {
  return fork(new URL('../usage_process.ts', import.meta.url), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}

function runPs(): Sample {
  const ended = () => readCounted(process.pid)?.children_cpu_seconds ?? 0;
  const before = ended();
  const began = performance.now();
  spawnSync('ps', psArgs, { stdio: 'ignore' });
  return { milliseconds: performance.now() - began, cpu_milliseconds: (ended() - before) * 1_000 };
}

/** Of a core, of an agent with so many idle instances, in everything that it does. */
async function measureAgent({ sandbox, contenders, quick }: Run, count: number): Promise<number> {
  const services = serviceIds(count / 10);
  const davit = await contenders.davit(services);
  return usingPeers(sandbox, [davit], async () => {
    await deploy(davit, services);
    await sleep(3_000);
    const seconds = quick ? 12 : 30;
    const before = processorTime(davit.daemonPid);
    await sleep(seconds * 1_000);
    return (processorTime(davit.daemonPid) - before) / seconds;
  });
}

async function deploy(davit: Davit, services: readonly string[]): Promise<void> {
  const operations = services.map((service) => ({
    operation: 'deploy',
    service,
    body: { ...davit.spec(service), instances: 10 },
  }));
  await davit.agent.askFor('POST', '/api/v1/batch', { operations });
}

function report(
  results: ReadonlyMap<string, Result>,
  { count, share, seconds }: { count: number; share: number; seconds: number },
): Report {
  const all = [...results];
  const worst = (of: (result: Result) => number) => Math.max(...all.map(([, result]) => of(result)));
  const used = worst(({ looks }) => mean(looks.map((each) => each.cpu_milliseconds))) / interval;
  const wait = worst(({ looks }) =>
    quantile(
      looks.map((each) => each.longest_wait),
      0.5,
    ),
  );
  return {
    title: `What ${count} instances use, measured every ${interval / 1_000} s`,
    columns: ['', 'median', 'p99', 'CPU', 'of a core', 'others wait'],
    rows: all.flatMap(([name, { looks, ps }]) => [
      row(
        `${count} instances ${name}`,
        looks,
        looks.map((each) => each.longest_wait),
      ),
      row('`ps` of the same host', ps, []),
    ]),
    minimums: [
      {
        what: `CPU of measuring ${count} instances every ${interval / 1_000} s`,
        measured: `${inPercent(used)} of a core`,
        wanted: `under ${mostShare * 100} %`,
        held: used < mostShare,
      },
      {
        what: 'how long other work of the agent waits for it, the median of the longest waits',
        measured: inMilliseconds(wait),
        wanted: `at most ${longestWait} ms`,
        held: wait <= longestWait,
      },
      {
        what: `CPU of an agent with ${count} idle instances, in all`,
        measured: `${inPercent(share)} of a core`,
        wanted: `under ${mostShare * 100} %`,
        held: share < mostShare,
      },
    ],
    notes: [
      `Each instance is \`sleep 1000\` under its shell: ${all[0]?.[1].looks[0]?.processes ?? 0} processes. A look in a process of its own, each after a pause.`,
      `\`ps ${psArgs.join(' ')}\` runs in turn with the looks; it does not count open files.`,
      `The agent was watched for ${seconds} s.`,
    ],
    samples: Object.fromEntries(all),
  };
}

function row(name: string, samples: readonly Sample[], waits: readonly number[]): string[] {
  const times = samples.map(({ milliseconds }) => milliseconds);
  const cpu = mean(samples.map(({ cpu_milliseconds }) => cpu_milliseconds));
  return [
    name,
    inMilliseconds(median(times)),
    inMilliseconds(quantile(times, 0.99)),
    inMilliseconds(cpu),
    inPercent(cpu / interval),
    waits.length === 0
      ? ''
      : `${inMilliseconds(median(waits))}, p99 ${inMilliseconds(quantile(waits, 0.99))}`,
  ];
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
}
