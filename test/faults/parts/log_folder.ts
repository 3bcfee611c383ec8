import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { FaultCase } from '../fault_case.ts';
import { assertInOrder, type Outcome } from '../invariants.ts';
import { Sandbox } from '../sandbox.ts';
import { runs, succeeds } from '../steps.ts';

/** What follows the deletion, and what the service is then. */
const steps: readonly (readonly [string, (sandbox: Sandbox) => Promise<unknown>, Outcome])[] = [
  ['nothing', async () => {}, 1],
  ['redeploy', (sandbox) => succeeds(sandbox.deploy('web', 'steady')), 2],
  ['restart', (sandbox) => succeeds(sandbox.ask('POST', '/service/web/restart')), 1],
  ['stop', (sandbox) => succeeds(sandbox.ask('POST', '/service/web/stop')), 'stopped'],
  ['delete', (sandbox) => succeeds(sandbox.ask('DELETE', '/api/v1/services/web')), 'absent'],
  [
    'SIGKILL of the agent',
    async (sandbox) => {
      await sandbox.kill();
      await sandbox.start();
    },
    1,
  ],
];

/** The folder of the logs removed under the agent and its programs. */
export function logFolderCases(): FaultCase[] {
  return steps.map(([step, act, outcome]) => ({
    fault: 'log directory deleted',
    step,
    isQuick: step === 'redeploy' || step.startsWith('SIGKILL'),
    run: async () => {
      await using sandbox = new Sandbox();
      await sandbox.start();
      await runs(sandbox, 'steady');
      rmSync(join(sandbox.data, 'logs'), { recursive: true });
      await act(sandbox);
      await assertInOrder(sandbox, { web: [outcome] }, { mayLoseLines: true });
      // What is started from now on is captured again, to the last line.
      await runs(sandbox, 'steady');
      await runs(sandbox, 'steady', { command: ['/bin/sh', '-c', 'echo whole; exec sleep 1000'] });
      await sandbox.agent.until('GET', '/service/web/logs', (page) => page.lines?.at(-1)?.line === 'whole');
      await succeeds(sandbox.ask('DELETE', '/api/v1/services/web'));
      assert.equal(await sandbox.agent.end(), 0);
      return '';
    },
  }));
}
