import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import type { FaultCase } from '../fault_case.ts';
import { NotTried } from '../fault_case.ts';
import { livingInstances } from '../host.ts';
import { assertInOrder, type Outcome } from '../invariants.ts';
import { Sandbox } from '../sandbox.ts';
import { runs } from '../steps.ts';

/** What is asked while /proc cannot be read, and what the service may be afterwards. */
const steps: readonly (readonly [
  string,
  (sandbox: Sandbox) => Promise<number | undefined>,
  readonly Outcome[],
])[] = [
  ['stop', async (sandbox) => (await sandbox.ask('POST', '/service/web/stop'))?.status, ['stopped']],
  ['restart', async (sandbox) => (await sandbox.ask('POST', '/service/web/restart'))?.status, [1, 'stopped']],
  ['redeploy', async (sandbox) => (await sandbox.deploy('web', 'steady'))?.status, [1, 2, 'stopped']],
];

/** /proc taken from the agent, and given back. */
export function procCases(): FaultCase[] {
  return steps.map(([step, act, outcomes]) => ({
    fault: 'unreadable /proc',
    step,
    isQuick: step === 'stop',
    run: async () => {
      await using sandbox = new Sandbox();
      const agent = await sandbox.start({ under: inOwnMounts() });
      await runs(sandbox, 'steady');
      const within = ['--target', String(agent.child.pid), '--mount'];
      // By its path: there is no /proc to find anything by afterwards.
      const mounted = spawnSync('nsenter', [...within, 'mount', '-n', '-t', 'tmpfs', 'tmpfs', '/proc']);
      assert.equal(mounted.status, 0, String(mounted.stderr));
      const status = await act(sandbox);
      const left = livingInstances(sandbox.folder).length;
      if (step === 'stop' && status === 200) assert.equal(left, 0, 'it was said to be stopped and is not');
      const unmounted = spawnSync('nsenter', [...within, 'umount', '-n', '/proc']);
      assert.equal(unmounted.status, 0, String(unmounted.stderr));
      const { web } = await assertInOrder(sandbox, { web: outcomes });
      await runs(sandbox, 'steady');
      const release = (await sandbox.ask('GET', '/service/web/status'))?.body.release;
      await assertInOrder(sandbox, { web: [release] });
      assert.equal(await sandbox.agent.end(), 0);
      return `${status}, then ${web}`;
    },
  }));
}

function inOwnMounts(): string[] {
  if (process.getuid?.() !== 0) throw new NotTried('a mount namespace needs root');
  const under = ['unshare', '--mount', '--propagation', 'private'];
  const tried = spawnSync(under[0] ?? '', [
    ...under.slice(1),
    'mount',
    '-n',
    '-t',
    'tmpfs',
    'tmpfs',
    '/proc',
  ]);
  if (tried.status !== 0) throw new NotTried(`nothing can be mounted over /proc here: ${tried.stderr}`);
  return under;
}
