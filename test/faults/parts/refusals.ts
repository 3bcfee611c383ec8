import assert from 'node:assert/strict';
import type { FailPointName } from '../../../src/lib/fail_point.ts';
import type { FaultCase } from '../fault_case.ts';
import { assertInOrder } from '../invariants.ts';
import { Sandbox } from '../sandbox.ts';
import { runs } from '../steps.ts';

/** Where the agent writes or opens files before it starts a program, and so may be refused that. */
const points = ['deploy.release_written', 'start.prepared', 'start.spawned'] as const;

/** The system refusing the agent something at a point of a deploy: the deploy fails, and what ran before runs. */
export function refusalCases(): FaultCase[] {
  return points.flatMap((point) => ['ENOSPC', 'EMFILE'].map((code) => refusalCase(code, point)));
}

function refusalCase(code: string, point: FailPointName): FaultCase {
  return {
    fault: code,
    step: `redeploy at ${point}`,
    isQuick: code === 'EMFILE',
    run: async () => {
      await using sandbox = new Sandbox();
      await sandbox.start({}, `${point}=${code}@2`);
      await runs(sandbox, 'steady');
      const refused = await sandbox.deploy('web', 'steady');
      assert.ok(refused && refused.status >= 400, `the answer was ${refused?.status}`);
      await assertInOrder(sandbox, { web: [1] });
      await runs(sandbox, 'steady');
      await assertInOrder(sandbox, { web: [3] });
      assert.equal(await sandbox.agent.end(), 0);
      return `${refused.status} ${refused.body.code}`;
    },
  };
}
