import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { FaultCase } from '../fault_case.ts';
import { NotTried } from '../fault_case.ts';
import { assertInOrder, type Outcome } from '../invariants.ts';
import { Sandbox } from '../sandbox.ts';
import { runs } from '../steps.ts';

/** One thing to do on a full disk, and what the service may be afterwards. */
interface Step {
  readonly name: string;
  readonly isQuick: boolean;
  act(sandbox: Sandbox): Promise<number | undefined>;
  /** By whether the answer was a success. */
  outcomes(hasSucceeded: boolean): readonly Outcome[];
}

const steps: readonly Step[] = [
  {
    name: 'redeploy',
    isQuick: true,
    act: async (sandbox) => (await sandbox.deploy('web', 'steady'))?.status,
    outcomes: (hasSucceeded) => (hasSucceeded ? [2] : [1]),
  },
  {
    name: 'restart',
    isQuick: false,
    act: async (sandbox) => (await sandbox.ask('POST', '/service/web/restart'))?.status,
    outcomes: () => [1],
  },
  {
    name: 'stop',
    isQuick: true,
    act: async (sandbox) => (await sandbox.ask('POST', '/service/web/stop'))?.status,
    outcomes: () => ['stopped'],
  },
  {
    name: 'delete',
    isQuick: false,
    act: async (sandbox) => (await sandbox.ask('DELETE', '/api/v1/services/web'))?.status,
    outcomes: (hasSucceeded) => (hasSucceeded ? ['absent'] : ['stopped', 1]),
  },
];

/** The data directory on a disk that is full while something is asked, and after an agent has died. */
export function diskCases(): FaultCase[] {
  return steps.flatMap((step) => [diskCase(step, false), diskCase(step, true)]);
}

function diskCase(step: Step, isKilled: boolean): FaultCase {
  return {
    fault: isKilled ? 'full disk, SIGKILL' : 'full disk',
    step: step.name,
    isQuick: step.isQuick,
    run: async () => {
      await using sandbox = new Sandbox();
      using _disk = mountDisk(sandbox);
      await sandbox.start();
      await runs(sandbox, 'steady');
      fill(sandbox);
      const status = await step.act(sandbox);
      const hasSucceeded = status !== undefined && status < 400;
      if (isKilled) {
        await sandbox.kill();
        await startOnFullDisk(sandbox);
      }
      rmSync(join(sandbox.data, 'filler'), { force: true });
      // What could not be written down before the agent died is not known to the next one.
      const allowed = isKilled
        ? [...step.outcomes(true), ...step.outcomes(false), 1, 2, 'stopped' as const]
        : step.outcomes(hasSucceeded);
      const { web } = await assertInOrder(sandbox, { web: allowed }, { mayLoseLines: true });
      await runs(sandbox, 'steady');
      const last = (await sandbox.ask('GET', '/service/web/status'))?.body.release;
      await assertInOrder(sandbox, { web: [last] }, { mayLoseLines: true });
      assert.equal(await sandbox.agent.end(), 0);
      return `${status}, then ${web}`;
    },
  };
}

/** An agent may say that it cannot start there; then it can as soon as there is room. */
async function startOnFullDisk(sandbox: Sandbox): Promise<void> {
  try {
    await sandbox.start();
  } catch (error) {
    assert.match(String(error), /disk is full|no space|storage_unavailable|ENOSPC/i);
    rmSync(join(sandbox.data, 'filler'));
    await sandbox.start();
  }
}

/** Puts a small disk where the data directory is. */
function mountDisk({ data }: Sandbox): Disposable {
  if (process.getuid?.() !== 0) throw new NotTried('mounting a small disk needs root');
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=3m,mode=700', 'tmpfs', data]);
  if (mounted.status !== 0) throw new NotTried(`a small disk cannot be mounted: ${mounted.stderr}`);
  return { [Symbol.dispose]: () => void spawnSync('umount', ['--lazy', data]) };
}

/** Fills the disk to the last byte. */
function fill({ data }: Sandbox): void {
  const filled = spawnSync('dd', ['if=/dev/zero', `of=${join(data, 'filler')}`, 'bs=1k'], {
    encoding: 'utf8',
  });
  assert.match(filled.stderr, /No space/);
}
