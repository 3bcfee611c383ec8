import assert from 'node:assert/strict';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../helpers/system.ts';
import type { FaultCase } from '../fault_case.ts';
import { NotTried } from '../fault_case.ts';
import { assertInOrder } from '../invariants.ts';
import { Sandbox } from '../sandbox.ts';
import { runs, succeeds } from '../steps.ts';

/** How far the clock jumps while the agent runs, as libfaketime reads it. */
const jumps = [
  ['a year ahead', '+365d'],
  ['a day back', '-1d'],
  ['ten years back', '-3650d'],
] as const;

/** The agent's clock jumping; time since boot goes on evenly, as it does on a real host. */
export function clockCases(): FaultCase[] {
  return jumps.flatMap(([jump, offset]) => [
    {
      fault: 'clock jumps',
      step: `${jump}, before a redeploy, a restart and a stop`,
      isQuick: jump !== 'ten years back',
      run: () => withClock(offset, operate),
    },
    {
      fault: 'clock jumps',
      step: `${jump} in the midst of a deploy`,
      isQuick: jump === 'a day back',
      run: () => withClock(offset, jumpInDeploy),
    },
    {
      fault: 'clock jumps',
      step: `${jump}, then SIGKILL`,
      isQuick: false,
      run: () => withClock(offset, jumpAndDie),
    },
  ]);
}

/** Lets the clock of the agent jump. */
type Jump = () => void;

async function withClock(
  offset: string,
  act: (sandbox: Sandbox, jump: Jump, env: Readonly<Record<string, string>>) => Promise<void>,
): Promise<string> {
  await using sandbox = new Sandbox();
  const file = join(sandbox.folder, 'clock');
  writeFileSync(file, '+0\n');
  const env = {
    LD_PRELOAD: libfaketime(),
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    DONT_FAKE_MONOTONIC: '1',
  };
  await sandbox.start({ env });
  await act(sandbox, () => writeFileSync(file, `${offset}\n`), env);
  assert.equal(await sandbox.agent.end(), 0);
  return '';
}

async function operate(sandbox: Sandbox, jump: Jump): Promise<void> {
  await runs(sandbox, 'steady');
  const before = await agentTime(sandbox);
  jump();
  const hasJumped = async () => Math.abs((await agentTime(sandbox)) - before) > 12 * 3600_000;
  await until('the clock of the agent has jumped', hasJumped);
  await assertInOrder(sandbox, { web: [1] });
  await runs(sandbox, 'steady');
  await assertInOrder(sandbox, { web: [2] });
  await succeeds(sandbox.ask('POST', '/service/web/restart'));
  await assertInOrder(sandbox, { web: [2] });
  const failed = await sandbox.deploy('web', 'brief');
  assert.equal(failed?.status, 422);
  await assertInOrder(sandbox, { web: [2] });
  await succeeds(sandbox.ask('POST', '/service/web/stop'));
  await assertInOrder(sandbox, { web: ['stopped'] });
}

async function jumpInDeploy(sandbox: Sandbox, jump: Jump): Promise<void> {
  await runs(sandbox, 'steady');
  const deployed = sandbox.deploy('web', 'steady', { min_uptime: '1s' });
  await sandbox.agent.until('GET', '/service/web/status', (body) => body.status === 'starting');
  jump();
  await succeeds(deployed);
  await assertInOrder(sandbox, { web: [2] });
}

async function jumpAndDie(
  sandbox: Sandbox,
  jump: Jump,
  env: Readonly<Record<string, string>>,
): Promise<void> {
  await runs(sandbox, 'steady');
  jump();
  await sandbox.kill();
  await sandbox.start({ env });
  await assertInOrder(sandbox, { web: [1] });
  await runs(sandbox, 'steady');
  await assertInOrder(sandbox, { web: [2] });
}

/** What the agent takes for now, in milliseconds since the epoch. */
async function agentTime(sandbox: Sandbox): Promise<number> {
  const answer = await sandbox.ask('GET', '/health');
  return Date.parse(answer?.headers.get('date') ?? '');
}

function libfaketime(): string {
  const folders = existsSync('/usr/lib') ? readdirSync('/usr/lib') : [];
  const places = folders.map((folder) => join('/usr/lib', folder, 'faketime/libfaketime.so.1'));
  const found = places.find((place) => existsSync(place));
  if (found === undefined) throw new NotTried('libfaketime is not installed');
  return found;
}
