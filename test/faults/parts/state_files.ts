import assert from 'node:assert/strict';
import {
  closeSync,
  existsSync,
  ftruncateSync,
  openSync,
  readdirSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { FaultCase } from '../fault_case.ts';
import { livingInstances } from '../host.ts';
import { assertInOrder, type Outcome } from '../invariants.ts';
import { Sandbox } from '../sandbox.ts';
import { runs, succeeds } from '../steps.ts';

/** Which files are damaged, below the data directory, and what may have become of the service. */
interface Target {
  readonly name: string;
  readonly pattern: RegExp;
  readonly outcomes: readonly Outcome[];
  /** Whether it says when lines were written. */
  readonly isIndex?: boolean;
  /** Whether it holds the key that the admin comes in with. */
  readonly isKey?: boolean;
}

const targets: readonly Target[] = [
  // What was written into it last is gone, and the file before it is whole or put aside.
  { name: 'davit.db-wal', pattern: /^davit\.db-wal$/, outcomes: [1, 2] },
  { name: 'davit.db', pattern: /^davit\.db$/, outcomes: [1, 2] },
  { name: 'davit.db-shm', pattern: /^davit\.db-shm$/, outcomes: [2] },
  { name: 'the notes of wrappers', pattern: /^instances\/.*\.notes$/, outcomes: [2] },
  { name: 'the time index of logs', pattern: /^logs\/.*\.index$/, outcomes: [2], isIndex: true },
  { name: 'agent.json', pattern: /^agent\.json$/, outcomes: [2] },
  { name: 'agent.pid', pattern: /^agent\.pid$/, outcomes: [2] },
  { name: 'agent.lock', pattern: /^agent\.lock$/, outcomes: [2] },
  { name: 'admin.key', pattern: /^admin\.key$/, outcomes: [2], isKey: true },
];

const damages: Readonly<Record<string, (file: string) => void>> = {
  torn: (file) => truncate(file, Math.floor(statSync(file).size / 2)),
  emptied: (file) => truncate(file, 0),
  garbage: (file) => {
    const descriptor = openSync(file, 'r+');
    const { size } = statSync(file);
    writeSync(
      descriptor,
      Buffer.alloc(Math.max(1, Math.floor(size / 3)), 0xa5),
      0,
      undefined,
      Math.floor(size / 3),
    );
    closeSync(descriptor);
  },
};

/** State files torn, emptied and overwritten in the middle while no agent runs. */
export function stateFileCases(): FaultCase[] {
  return targets.flatMap((target) =>
    Object.entries(damages).map(([damage, damageFile]) => ({
      fault: `state file ${damage}`,
      step: target.name,
      isQuick:
        target.name === 'davit.db-wal'
          ? damage === 'torn'
          : damage === 'garbage' && !/shm|agent|key/.test(target.name),
      run: () => withDamage(target, damageFile),
    })),
  );
}

async function withDamage(target: Target, damage: (file: string) => void): Promise<string> {
  await using sandbox = new Sandbox();
  await sandbox.start();
  await runs(sandbox, 'steady');
  // The end of an agent leaves a backup: what is damaged later can be started from.
  await sandbox.agent.end();
  await sandbox.start();
  await runs(sandbox, 'steady');
  await sandbox.kill();
  const files = readdirSync(sandbox.data, { recursive: true, encoding: 'utf8' });
  const chosen = files.filter((file) => target.pattern.test(file)).map((file) => join(sandbox.data, file));
  assert.ok(chosen.length > 0, 'there is no such file');
  for (const file of chosen) damage(file);
  await sandbox.start();
  if (target.isKey) await newKey(sandbox);
  return await settled(sandbox, target);
}

/** What is lost of the state is said; what runs of it is known or shown as an orphan, and can be brought into order. */
async function settled(sandbox: Sandbox, { outcomes, isIndex = false }: Target): Promise<string> {
  const { body } = (await sandbox.ask('GET', '/api/v1/orphans')) ?? { body: { orphans: [] } };
  const orphans: { instance_id: string }[] = body.orphans ?? [];
  for (const { instance_id } of orphans) {
    const stopped = await sandbox.ask('POST', `/api/v1/orphans/${instance_id}/stop`);
    // What waited for a program when its agent was killed ends by itself.
    assert.ok(
      stopped?.status === 200 || stopped?.body.code === 'orphan_not_found',
      JSON.stringify(stopped?.body),
    );
  }
  const set_aside = readdirSync(sandbox.data).some((name) => /\.damaged-/.test(name));
  const status = (await sandbox.ask('GET', '/service/web/status'))?.body;
  if (orphans.length > 0 && status?.status === 'stopped')
    await succeeds(sandbox.ask('POST', '/api/v1/services/web/start'));
  const runsAt = livingInstances(sandbox.folder).length;
  const { web } = await assertInOrder(sandbox, { web: outcomes }, { mayMixRuns: isIndex });
  await runs(sandbox, 'steady');
  assert.equal(await sandbox.agent.end(), 0);
  const notes = [set_aside && 'set aside', orphans.length > 0 && `${orphans.length} orphans shown`];
  return [`release ${web}`, `${runsAt} ran`, ...notes.filter(Boolean)].join(', ');
}

/** A key that is of no use is told of; emptying its file asks for another one. */
async function newKey(sandbox: Sandbox): Promise<void> {
  const file = join(sandbox.data, 'admin.key');
  if ((await sandbox.ask('GET', '/services'))?.status === 200) return;
  const told = sandbox.agent.log.some(({ msg }) => /admin\.key is not valid any more/.test(String(msg)));
  assert.ok(told, 'the agent does not say that the key is of no use');
  writeFileSync(file, '');
  await sandbox.agent.end();
  assert.ok(existsSync(file));
  await sandbox.start();
}

function truncate(file: string, size: number): void {
  const descriptor = openSync(file, 'r+');
  ftruncateSync(descriptor, size);
  closeSync(descriptor);
}
