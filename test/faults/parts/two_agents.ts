import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { startAgent } from '../../helpers/agent.ts';
import type { FaultCase } from '../fault_case.ts';
import { stateOf } from '../host.ts';
import { assertInOrder } from '../invariants.ts';
import { inTime, Sandbox } from '../sandbox.ts';
import { runs, succeeds } from '../steps.ts';

/** A second agent started on the directory of the first, while that runs, works or stands still. */
export function twoAgentCases(): FaultCase[] {
  return [
    {
      fault: 'two agents on one directory',
      step: 'while the first deploys',
      isQuick: true,
      run: async () => {
        await using sandbox = new Sandbox();
        await sandbox.start();
        await runs(sandbox, 'steady');
        const deployed = sandbox.deploy('web', 'steady');
        await refused(sandbox);
        await succeeds(deployed);
        await assertInOrder(sandbox, { web: [2] });
        assert.equal(await sandbox.agent.end(), 0);
        return '';
      },
    },
    {
      fault: 'two agents on one directory',
      step: 'while the first stands still',
      isQuick: true,
      run: async () => {
        await using sandbox = new Sandbox();
        const { child } = await sandbox.start();
        await runs(sandbox, 'steady');
        child.kill('SIGSTOP');
        while (stateOf(child.pid ?? 0) !== 'T') await sleep(10);
        await refused(sandbox);
        child.kill('SIGCONT');
        await assertInOrder(sandbox, { web: [1] });
        await runs(sandbox, 'steady');
        await assertInOrder(sandbox, { web: [2] });
        assert.equal(await sandbox.agent.end(), 0);
        return '';
      },
    },
    {
      fault: 'two agents on one directory',
      step: 'both started when another was killed',
      isQuick: true,
      run: async () => {
        await using sandbox = new Sandbox();
        await sandbox.start();
        await runs(sandbox, 'steady');
        await sandbox.kill();
        const results = await Promise.allSettled([sandbox.start(), sandbox.start(), sandbox.start()]);
        const started = results.filter(({ status }) => status === 'fulfilled');
        assert.equal(started.length, 1, `${started.length} agents have started`);
        await assertInOrder(sandbox, { web: [1] });
        return '';
      },
    },
  ];
}

/** A second agent ends and says why, with the pid of the first. */
async function refused({ data, agent }: Sandbox): Promise<void> {
  const second = startAgent({ data });
  const outcome = await inTime(
    'the second agent ends',
    second.then(
      () => 'it started',
      (error: Error) => error.message,
    ),
  );
  assert.match(outcome, new RegExp(`another agent \\(pid ${agent.child.pid}\\) uses ${data}`));
}
