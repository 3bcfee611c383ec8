import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { Adoption } from '../../src/processes/adopt.ts';
import { type ProcessIdentity, readIdentity } from '../../src/processes/identity.ts';
import { ProcessTable } from '../../src/processes/process_table.ts';
import { stopTree } from '../../src/processes/stop.ts';
import { exitOf, launchTree } from '../helpers/processes.ts';
import { isRunning } from '../helpers/system.ts';

const linuxOnly = { skip: process.platform === 'linux' ? false : 'reads /proc' };

/** A process whose parent has been killed, as a service is after its agent. */
async function orphan(t: TestContext, instance_id: string): Promise<ProcessIdentity> {
  const script = `
    const { spawn } = require('node:child_process');
    const child = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
    console.log(child.pid);`;
  const env = { ...process.env, DAVIT_INSTANCE_ID: instance_id };
  const agent = spawn(process.execPath, ['-e', script], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(agent.stdout, 'data');
  agent.kill('SIGKILL');
  await once(agent, 'exit');
  const identity = readIdentity(Number(line)) ?? assert.fail('it is gone');
  t.after(() => isRunning(identity.pid) && process.kill(identity.pid, 'SIGKILL'));
  return identity;
}

test('a process of an earlier agent is taken up, and its end is noticed', linuxOnly, async (t) => {
  const identity = await orphan(t, randomUUID());
  const adopted = new Adoption().adopt(identity) ?? assert.fail('not taken up');
  assert.deepEqual(adopted.identity, identity);
  process.kill(identity.pid, 'SIGKILL');
  assert.deepEqual(await exitOf(adopted), { return_code: null, signal: null });
});

test('what cannot be proved to be the same process is not taken up', linuxOnly, async (t) => {
  const { identity } = await launchTree(t, ['sleep', '1000']);
  const adoption = new Adoption();
  const others: Partial<ProcessIdentity>[] = [
    { start_ticks: '1' },
    { start_ticks: '' },
    { boot_id: '' },
    { boot_id: randomUUID() },
  ];
  for (const other of others) assert.equal(adoption.adopt({ ...identity, ...other }), null);
  const gone = await launchTree(t, ['true']);
  await exitOf(gone);
  assert.equal(adoption.adopt(gone.identity), null);
});

test('a process that was taken up is stopped like any other', linuxOnly, async (t) => {
  const instance_id = randomUUID();
  const identity = await orphan(t, instance_id);
  const adopted = new Adoption().adopt(identity) ?? assert.fail('not taken up');
  const target = { ...adopted, instance_id };
  const report = await stopTree(new ProcessTable(), target, { signal: 'SIGTERM', timeout_ms: 10_000 });
  assert.equal(report.ended_by, 'signal');
  assert.equal(isRunning(identity.pid), false);
});
