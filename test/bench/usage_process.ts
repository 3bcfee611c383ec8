/** Starts process trees and measures what they use, in a process that does nothing else. */
import { closeSync, openSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { ownAccount } from '../../src/processes/account.ts';
import { findControlGroupPlace } from '../../src/processes/control_group.ts';
import { markName } from '../../src/processes/process_table.ts';
import { type PreparedTree, Runtime } from '../../src/processes/runtime.ts';
import { TreeUsages } from '../../src/processes/tree_usages.ts';

/** What the process is asked: to start so many trees, to look at them once, or to end them. */
export type UsageQuestion =
  | { readonly start: number; readonly folder: string; readonly controlGroups: 'auto' | 'off' }
  | { readonly look: true }
  | { readonly end: true };

/** What one look took. */
export interface Look {
  readonly trees: number;
  readonly processes: number;
  readonly milliseconds: number;
  readonly cpu_milliseconds: number;
  /** The longest time that other work of the process had to wait. */
  readonly longest_wait: number;
}

const usages = new TreeUsages();
const trees: PreparedTree[] = [];
let runtime: Runtime | null = null;

async function start(count: number, folder: string, controlGroups: 'auto' | 'off'): Promise<void> {
  runtime = new Runtime({
    directory: folder,
    controlGroups: findControlGroupPlace(controlGroups),
    onProblem: (message) => process.stderr.write(`${message}\n`),
  });
  if (controlGroups === 'auto' && !runtime.controlGroups.used) throw new Error('there are no control groups');
  const nothing = openSync('/dev/null', 'a');
  const limits = { memory_bytes: null, cpu_cores: null, pids: null, open_files: null } as const;
  while (trees.length < count) {
    const tree = await runtime.prepare(
      {
        command: ['sleep', '1000'],
        cwd: folder,
        env: { PATH: process.env['PATH'] ?? '', [markName]: '' },
        account: ownAccount(),
        runner: 'direct',
        stop: { signal: 'SIGTERM', timeout_ms: 1_000 },
        limits: { ...limits, enforcement: 'best_effort' },
      },
      { stdout: nothing, stderr: nothing },
    );
    await tree.letGo();
    trees.push(tree);
  }
  closeSync(nothing);
}

async function look(): Promise<Look> {
  const proofs = trees.map(({ proof }) => proof);
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  await sleep(20);
  const cpu = process.cpuUsage();
  const began = performance.now();
  const found = [...(await usages.read(proofs)).values()];
  const milliseconds = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  await sleep(5);
  delays.disable();
  return {
    trees: found.length,
    processes: found.reduce((sum, { processes }) => sum + processes, 0),
    milliseconds,
    cpu_milliseconds: (user + system) / 1e3,
    longest_wait: Math.max(0, delays.max / 1e6 - 1),
  };
}

async function end(): Promise<void> {
  const ending = trees.map(async (tree) => {
    await runtime?.stop(tree, { signal: 'SIGKILL', timeout_ms: 10_000 });
    await runtime?.forget(tree.instance_id, tree.control_group);
  });
  await Promise.all(ending);
  runtime?.close();
}

process.on('message', async (question: UsageQuestion) => {
  if ('start' in question) await start(question.start, question.folder, question.controlGroups);
  if ('end' in question) await end();
  process.send?.('look' in question ? await look() : {});
});
process.on('disconnect', () => process.exit());
