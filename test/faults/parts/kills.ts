import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FailPointName } from '../../../src/lib/fail_point.ts';
import type { Answer } from '../../helpers/agent.ts';
import type { FaultCase } from '../fault_case.ts';
import { stateOf } from '../host.ts';
import { assertInOrder, type Outcome } from '../invariants.ts';
import { inTime, Sandbox } from '../sandbox.ts';
import { type Operation, operations } from '../steps.ts';

/** What is done to an agent at a point. */
type Fault = 'SIGKILL' | 'SIGKILL, and the next agent too' | 'SIGSTOP, SIGKILL' | 'SIGSTOP, SIGCONT';

/** What the next agent passes again when it takes up a replacement, and may die at, too. */
const passedAgain: ReadonlySet<string> = new Set([
  'deploy.old_stopped',
  'start.prepared',
  'start.spawned',
  'start.recorded',
  'deploy.started',
  'deploy.settled',
]);

/** The agent killed and halted at every named point of every operation. */
export function killCases(): FaultCase[] {
  return operations.flatMap((operation) =>
    operation.points.flatMap((point) => {
      const cases = [
        killCase('SIGKILL', operation, point),
        killCase('SIGSTOP, SIGKILL', operation, point),
        killCase('SIGSTOP, SIGCONT', operation, point),
      ];
      if (operation.isReplacement && passedAgain.has(point))
        cases.push(killCase('SIGKILL, and the next agent too', operation, point));
      return cases;
    }),
  );
}

function killCase(fault: Fault, operation: Operation, point: FailPointName): FaultCase {
  const isQuick =
    fault === 'SIGKILL'
      ? operation.quick.includes(point)
      : operation.name === 'redeploy' && point === 'start.recorded';
  return {
    fault,
    step: `${operation.name} at ${point}`,
    isQuick,
    run: async () => {
      await using sandbox = new Sandbox();
      const action = fault.startsWith('SIGSTOP') ? 'stop' : 'kill';
      await sandbox.start({}, `${point}=${action}@${passings(operation, point)}`);
      await operation.prepare(sandbox);
      const answer = operation.act(sandbox);
      if (action === 'stop') await untilHalted(sandbox, answer);
      if (fault === 'SIGSTOP, SIGCONT') return await goOn(sandbox, operation, await resumed(sandbox, answer));
      if (fault === 'SIGSTOP, SIGKILL') await sandbox.kill();
      await diedAt(sandbox, point);
      if (fault.includes('next agent')) {
        // It may die before it listens.
        await sandbox.start({}, `${point}=kill`).catch(() => null);
        await diedAt(sandbox, point);
      }
      await sandbox.start();
      assert.equal(await answer, null, 'the caller got an answer although the agent died');
      const allowed = fault.includes('next agent') ? operation.givenUp : operation.interrupted;
      return await settled(sandbox, allowed);
    },
  };
}

/** How often the point has been passed once the operation comes to it. */
function passings({ prepared }: Operation, point: FailPointName): number {
  const [family] = point.split('.');
  const { starts, stops } = prepared;
  return (family === 'stop' ? stops : starts) + 1;
}

/** Resolves when the agent is dead, which must be by this point. */
export async function diedAt(sandbox: Sandbox, point: string): Promise<void> {
  const { log } = sandbox.agent;
  await sandbox.untilDead();
  const passed = log.some(({ text }) => String(text).startsWith(`fail point ${point}: `));
  assert.ok(passed, `the agent died, but not at ${point}`);
}

/** Resolves when the agent stands still, with all that it had to do begun. */
async function untilHalted(sandbox: Sandbox, answer: Promise<unknown>): Promise<void> {
  const { pid = 0 } = sandbox.agent.child;
  let isAnswered = false;
  void answer.then(() => {
    isAnswered = true;
  });
  const halted = async () => {
    while (stateOf(pid) !== 'T') {
      assert.ok(!isAnswered, 'the operation never came to this point');
      await sleep(10);
    }
  };
  await inTime('the agent stands still', halted());
  // Time for the programs to go on, and to die, without it.
  await sleep(300);
}

function resumed(sandbox: Sandbox, answer: Promise<Answer | null>): Promise<Answer | null> {
  sandbox.agent.child.kill('SIGCONT');
  return inTime('the agent answers', answer);
}

async function goOn(sandbox: Sandbox, operation: Operation, answer: Answer | null): Promise<string> {
  assert.equal(answer?.status, operation.status, JSON.stringify(answer?.body));
  return await settled(sandbox, [operation.done]);
}

async function settled(sandbox: Sandbox, allowed: readonly Outcome[]): Promise<string> {
  const { web } = await assertInOrder(sandbox, { web: allowed });
  assert.equal(await sandbox.agent.end(), 0, 'the agent does not end well');
  return typeof web === 'number' ? `release ${web}` : String(web);
}
