import { parseArgs } from 'node:util';
import type { Lane } from './lane.ts';
import { type WalkResult, walk } from './walk.ts';

const usage = `npm run walk -- [options]

Does what comes by chance to services, their dependencies, their probes and their agent, and holds each time what the agent
says and what the host shows against a small model of what must be.

Options:
  --operations <n>  how many operations in all; default: 10000
  --seed <n>        of the first walk, the next ones count from it; default: a new one, which is printed
  --length <n>      how many steps a walk has at most, each walk with a new agent; default: 150
  --at-once <n>     how many walks at the same time; default: 3
  --shrink <s>      for how many seconds a failure is made smaller; default: 0
`;

const { values: options } = parseArgs({
  options: {
    operations: { type: 'string', default: '10000' },
    seed: { type: 'string' },
    length: { type: 'string', default: '150' },
    'at-once': { type: 'string', default: '3' },
    shrink: { type: 'string', default: '0' },
    help: { type: 'boolean', default: false },
  },
});

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main(): Promise<void> {
  const wanted = Number(options.operations);
  const length = Number(options.length);
  let seed = Number(options.seed ?? Math.floor(Math.random() * 1e9));
  say(`${wanted} operations from seed ${seed}`);
  const began = performance.now();
  const counts = new Map<string, number>();
  let done = 0;
  let failures = 0;
  const note = (own: number, result: WalkResult) => {
    done += result.operations;
    for (const [kind, count] of result.counts) counts.set(kind, (counts.get(kind) ?? 0) + count);
    const rate = done / ((performance.now() - began) / 1000);
    say(
      `${String(done).padStart(6)} operations, ${rate.toFixed(1)} a second; seed ${own} ${result.failure ? 'FAILED' : 'held'}`,
    );
    if (result.failure === null) return;
    failures += 1;
    say(
      `${result.failure}\nagain: npm run walk -- --operations 1 --at-once 1 --length ${length} --seed ${own}\n`,
    );
  };
  const open = new Set<Lane>();
  const cutShort = () =>
    void Promise.allSettled([...open].map((lane) => lane[Symbol.asyncDispose]())).then(() =>
      process.exit(130),
    );
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, cutShort);
  const work = async () => {
    while (done < wanted) {
      const own = seed++;
      note(own, await walk({ seed: own, length, shrinkTime: Number(options.shrink) * 1000 }, open));
    }
  };
  await Promise.all(Array.from({ length: Number(options['at-once']) }, work));
  for (const [kind, count] of [...counts].toSorted(([, one], [, other]) => other - one))
    say(`${String(count).padStart(6)} ${kind}`);
  say(`${done} operations, ${failures} walks failed`);
  if (failures > 0) process.exitCode = 1;
}

if (options.help) say(usage);
else await main();
