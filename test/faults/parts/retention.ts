import assert from 'node:assert/strict';
import type { FailPointName } from '../../../src/lib/fail_point.ts';
import type { FaultCase } from '../fault_case.ts';
import { Sandbox } from '../sandbox.ts';
import { runs, succeeds } from '../steps.ts';

/** Where the agent is while it gives back what is too much of a log. */
const points = ['retention.head_written', 'retention.hole_punched', 'retention.run_removed'] as const;
const small = { logs: { max_size: '256KB', compress: false } };

/** The agent killed while it trims the log of a program that goes on writing. */
export function retentionCases(): FaultCase[] {
  return points.map((point) => ({
    fault: 'SIGKILL',
    step: `trimming at ${point}`,
    isQuick: point === 'retention.head_written',
    run: () => killedAt(point),
  }));
}

async function killedAt(point: FailPointName): Promise<string> {
  await using sandbox = new Sandbox();
  await sandbox.start({}, `${point}=kill`);
  // It may die at any time from here on.
  await sandbox.deploy('web', 'loud', small);
  // A run that has ended is removed as a whole.
  if (point === 'retention.run_removed') {
    await written(sandbox, 100);
    await sandbox.deploy('web', 'loud', small);
  }
  await sandbox.untilDead();
  const passed = sandbox.agent.log.some(({ text }) => String(text).startsWith(`fail point ${point}: `));
  assert.ok(passed, `the agent died, but not at ${point}`);
  await sandbox.start();
  await written(sandbox, 100);
  await succeeds(sandbox.ask('POST', '/service/web/stop'));
  const kept = await assertTail(sandbox);
  await runs(sandbox, 'steady');
  assert.equal(await sandbox.agent.end(), 0);
  return `${kept} lines kept`;
}

/** Resolves when so many more lines of the service have come. */
async function written(sandbox: Sandbox, more: number): Promise<void> {
  let first: number | undefined;
  await sandbox.agent
    .until('GET', '/service/web/logs?lines=1', (page) => {
      const number = numberOf(page.lines?.at(-1)?.line ?? '');
      first ??= number;
      return number >= first + more;
    })
    // The agent that is to die may do so meanwhile.
    .catch((error) => {
      if (sandbox.agent.child.signalCode === null) throw error;
    });
}

/** What is kept of each program is whole up to its end, each line once and in order. */
async function assertTail(sandbox: Sandbox): Promise<number> {
  const { lines, truncated } = await succeeds(sandbox.ask('GET', '/service/web/logs?lines=10000'));
  assert.equal(truncated, false);
  const texts: string[] = lines.map(({ line }: { line: string }) => line);
  assert.ok(texts.length > 20, `only ${texts.length} lines are kept`);
  for (const [pid, own] of Map.groupBy(texts, (text) => text.split(' ')[1])) {
    const numbers = own.map(numberOf);
    const [first = 0] = numbers;
    const wanted = numbers.map((_, index) => first + index);
    assert.deepEqual(numbers, wanted, `the lines of program ${pid} are not whole`);
  }
  return texts.length;
}

function numberOf(line: string): number {
  return Number(/^\S+ \d+ (\d+) 0{1000}$/.exec(line)?.[1] ?? Number.NaN);
}
