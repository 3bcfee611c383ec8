import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { restoreVersion, stateVersion } from '../lib/database.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { failPoint } from '../lib/fail_point.ts';
import type { Plan, Surroundings } from './upgrade_plan.ts';
import { type AgentState, prove } from './upgrade_proof.ts';

/** An upgrade that has failed after the binary was replaced. */
export interface FailedUpgrade {
  readonly plan: Plan;
  readonly error: unknown;
  /** What must run at the end as it ran before. */
  readonly services: AgentState['services'];
  /** When the upgrade began to change something. */
  readonly began: Date;
  readonly around: Surroundings;
}

/** Milliseconds that the previous agent gets to be ready: the new one may first have to end in order. */
const returnTimeout = 180_000;
/** Milliseconds that it gets to prove itself after that. */
const proofTimeout = 60_000;

/** Puts everything back as it was, and returns the error that tells how that went. */
export async function goBack(failed: FailedUpgrade): Promise<DavitError> {
  const { plan, error, began, around } = failed;
  const { unit, binary } = plan;
  const { signal, onStep } = around;
  const reason = signal.aborted ? 'interrupted' : `the new binary failed: ${firstLine(error)}`;
  onStep(`${reason}; going back`);
  const last_lines = await unit.lastLines(began);
  const fields = signal.aborted ? (signal.reason as DavitError).fields : { last_lines };
  const end = await putBack(failed).catch((second) => {
    const journal = `journalctl ${unit.isUser ? '--user-unit' : '--unit'} ${unit.name}`;
    return existsSync(binary.previous)
      ? `the previous binary cannot be put back, and stands in ${binary.previous}: ${firstLine(second)}`
      : `the previous binary is back in its place, but is not well either: ${firstLine(second)}. See ${journal}`;
  });
  return new DavitError('upgrade_failed', `${reason}; ${end}`, { cause: error, fields });
}

/** Resolves with how it ended. */
async function putBack({ plan, services, around }: FailedUpgrade): Promise<string> {
  const { unit, binary, before, facts } = plan;
  binary.putBack();
  around.onStep(`${binary.path} is the previous binary again`);
  const { state } = await unit.read();
  // One that hangs at its start would make the stop wait for its time limit.
  if (state !== 'active') await unit.kill();
  await restoreState(plan, around.onStep);
  // Whoever had stopped it finds it stopped.
  const failure = facts.state === 'inactive' ? await unit.stop() : await unit.restart(returnTimeout);
  if (failure !== null) throw new DavitError('upgrade_failed', failure);
  if (before === null) return 'the previous binary is back in its place';
  const { version } = before;
  const expected = { version, agentBefore: 0, services, startsAnew: plan.check.stop_services };
  // What was interrupted is the upgrade; this goes on.
  const { signal } = new AbortController();
  await prove(unit, () => plan.client(signal), expected, proofTimeout);
  return `the previous binary is back in its place and runs (${version}), with every service`;
}

/** Brings back the state from before, when the new binary has brought it to a version that the previous cannot read. */
async function restoreState({ unit, check }: Plan, onStep: (text: string) => void): Promise<void> {
  const { data, state_version } = check;
  const file = join(data, 'davit.db');
  if (state_version === null || !existsSync(file) || stateVersion(file) <= state_version) return;
  const failure = await unit.stop();
  if (failure !== null) throw new DavitError('upgrade_failed', `it cannot be stopped: ${failure}`);
  failPoint('upgrade.stopped');
  const done = restoreVersion(file, join(data, 'backups'), state_version);
  onStep(
    done === null
      ? `there is no good backup of the state of version ${state_version}: the agent takes the best that it finds`
      : `the state is that of ${done.restored} again, from before the migration; the migrated one is kept as ${done.kept}`,
  );
}

function firstLine(error: unknown): string {
  return errorMessage(error).split('\n')[0] ?? '';
}
