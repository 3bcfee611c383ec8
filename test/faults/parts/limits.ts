import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { accessSync, chmodSync, chownSync, constants, readdirSync } from 'node:fs';
import { davitCommand } from '../../helpers/agent.ts';
import type { FaultCase } from '../fault_case.ts';
import { NotTried } from '../fault_case.ts';
import { assertInOrder, type Outcome } from '../invariants.ts';
import { Sandbox } from '../sandbox.ts';
import { runs } from '../steps.ts';

/** What is asked while the agent lacks something, and what the service may be afterwards. */
const steps = [
  ['first deploy', (sandbox: Sandbox) => sandbox.deploy('other', 'steady')],
  ['redeploy', (sandbox: Sandbox) => sandbox.deploy('web', 'steady')],
  ['restart', (sandbox: Sandbox) => sandbox.ask('POST', '/service/web/restart')],
  ['stop', (sandbox: Sandbox) => sandbox.ask('POST', '/service/web/stop')],
] as const;

/** No descriptors and no processes left for the agent while something is asked; its services are not limited. */
export function limitCases(): FaultCase[] {
  return steps.flatMap(([step, act]) => [
    {
      fault: 'no descriptors',
      step,
      isQuick: step === 'redeploy' || step === 'stop',
      run: () => withoutDescriptors(act),
    },
    {
      fault: 'no memory for fork',
      step,
      isQuick: step === 'redeploy' || step === 'stop',
      run: () => withoutForks(act),
    },
  ]);
}

type Act = (typeof steps)[number][1];

async function withoutDescriptors(act: Act): Promise<string> {
  await using sandbox = new Sandbox();
  const agent = await sandbox.start();
  await runs(sandbox, 'steady');
  const { pid = 0 } = agent.child;
  // A connection needs one, and a few are opened and closed in passing.
  const open = readdirSync(`/proc/${pid}/fd`).length;
  limit(pid, `--nofile=${open + 3}:`);
  const answer = await Promise.race([act(sandbox), answered()]);
  limit(pid, '--nofile=1024:');
  return await recovered(sandbox, answer?.status);
}

async function withoutForks(act: Act): Promise<string> {
  await using sandbox = new Sandbox();
  const under = asNobody(sandbox);
  const agent = await sandbox.start({ under });
  await runs(sandbox, 'steady');
  const { pid = 0 } = agent.child;
  limit(pid, '--nproc=1:', under);
  const answer = await act(sandbox);
  limit(pid, '--nproc=4096:', under);
  return await recovered(sandbox, answer?.status);
}

/** A caller may have to wait as long as the agent cannot take the connection. */
async function answered(): Promise<null> {
  return await new Promise((resolve) => setTimeout(() => resolve(null), 15_000).unref());
}

/** The agent lives, says what is, and does what it is asked as soon as it can. */
async function recovered(sandbox: Sandbox, status: number | undefined): Promise<string> {
  assert.equal(sandbox.agent.child.exitCode, null, 'the agent ended');
  const outcomes: Outcome[] = [1, 2, 'stopped'];
  const states = { web: outcomes, other: ['absent' as const, 'stopped' as const, 1] };
  const { web } = await assertInOrder(sandbox, states);
  await runs(sandbox, 'steady');
  const release = (await sandbox.ask('GET', '/service/web/status'))?.body.release;
  await assertInOrder(sandbox, { ...states, web: [release] });
  assert.equal(await sandbox.agent.end(), 0);
  return `${status ?? 'no answer'}, then ${web}`;
}

/** `as`: what runs a command as the process's own user, for root may not be allowed to limit it. */
function limit(pid: number, resource: string, as: readonly string[] = []): void {
  const [program = '', ...args] = [...as, 'prlimit', '--pid', String(pid), resource];
  const done = spawnSync(program, args, { encoding: 'utf8' });
  assert.equal(done.status, 0, done.stderr);
}

const nobody = 65_534;

/** What runs an agent as an ordinary user, for whom the number of processes can be limited. */
function asNobody(sandbox: Sandbox): string[] {
  if (process.getuid?.() !== 0) throw new NotTried('to switch users needs root');
  const ids = ['--reuid', String(nobody), '--regid', String(nobody), '--clear-groups'];
  const reads = spawnSync('setpriv', [...ids, ...davitCommand, '--version']);
  if (reads.status !== 0) throw new NotTried('an ordinary user cannot read davit here');
  for (const folder of [sandbox.folder, sandbox.data, sandbox.written]) {
    chownSync(folder, nobody, nobody);
    chmodSync(folder, 0o755);
    accessSync(folder, constants.R_OK);
  }
  return ['setpriv', ...ids];
}
