import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { backUpVersion, restoreVersion, stateVersion } from '../lib/database.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { failPoint } from '../lib/fail_point.ts';
import { milliseconds } from '../lib/units.ts';
import { type Act, isSuperuser, type Run } from './command.ts';
import { examples } from './help.ts';
import { isUp } from './unit.ts';
import {
  hasOtherUnit,
  makePlan,
  type Plan,
  type Surroundings,
  takeHost,
  type UpgradeOptions,
} from './upgrade_plan.ts';
import { type AgentState, prove, readAgent, steadyServices } from './upgrade_proof.ts';

/** What came of an upgrade, as JSON. */
interface Result {
  readonly upgraded: boolean;
  readonly from: string | null;
  readonly to: string;
  readonly pid: number | null;
  /** How many services ran on with the same processes. */
  readonly services: number;
}

/** Milliseconds that an agent gets to become ready and to prove itself, unless --timeout says otherwise. */
const readyTimeout = 60_000;
/** Milliseconds that the previous agent gets: the new one may first have to end in order. */
const returnTimeout = 180_000;
const defaultUnit = 'davit.service';

export function addUpgrade(program: Command, act: Act): void {
  program
    .command('upgrade')
    .description(
      'Replace the binary of the agent that systemd runs here, while services run on. It proves the new one first, and goes back by itself when that does not become ready.',
    )
    .requiredOption('--binary <file>', 'the new davit')
    .option('--unit <unit>', 'the unit of the agent', defaultUnit)
    .option('--user', "a unit of your own account's systemd")
    .option('--dry-run', 'prove and tell, and change nothing')
    .addHelpText(
      'after',
      examples([
        'sudo davit upgrade --binary ./davit',
        'sudo davit upgrade --binary ./davit --dry-run',
        'sudo davit upgrade --binary /usr/local/bin/davit.previous',
      ]),
    )
    .action(act(upgrade));
}

async function upgrade(run: Run, options: UpgradeOptions): Promise<void> {
  const { environment, flags, signal, terminal, json } = run;
  const onStep = (text: string) => (json ? terminal.note(text) : terminal.print(text));
  const around: Surroundings = { environment, flags, isRoot: isSuperuser(), signal, onStep };
  const unlock = takeHost(options, around);
  try {
    const plan = await makePlan(options, around);
    try {
      const result = await carryOut(plan, options, around);
      if (json) terminal.json(result);
    } finally {
      plan.binary.removeLeftovers();
    }
  } finally {
    unlock();
  }
}

async function carryOut(plan: Plan, options: UpgradeOptions, around: Surroundings): Promise<Result> {
  const { binary, facts, before, version, unit } = plan;
  const { onStep } = around;
  const from = before?.version ?? null;
  const isInPlace = await binary.isStaged();
  if (isInPlace && binary.isRunBy(facts.pid)) {
    const hint = isUp(facts) ? '' : `; it is ${facts.state}: systemctl start ${unit.name}`;
    onStep(`nothing to do: ${binary.path} is this binary already${hint}`);
    return {
      upgraded: false,
      from,
      to: version,
      pid: before?.pid ?? null,
      services: before?.services.size ?? 0,
    };
  }
  if (options.dryRun) {
    onStep(`it would replace ${binary.path}, which ${unit.name} runs; nothing was changed`);
    return {
      upgraded: false,
      from,
      to: version,
      pid: before?.pid ?? null,
      services: before?.services.size ?? 0,
    };
  }
  const services = await readSteady(plan, around);
  around.signal.throwIfAborted();
  backUpBefore(plan);
  binary.keepPresent(facts.pid);
  onStep(`${binary.previous} is what ran until now${from === null ? '' : `: ${from}`}`);
  const began = new Date();
  try {
    binary.swap();
    onStep(`${binary.path} is ${version}`);
    const state = await restartAndProve(plan, version, services, around);
    return await finish(plan, state, services, onStep);
  } catch (error) {
    throw await goBack(plan, error, services, began, around);
  }
}

/** The services that run steadily, which are those that must run on. */
async function readSteady(
  { before, client }: Plan,
  { signal }: Surroundings,
): Promise<AgentState['services']> {
  if (before === null) return new Map();
  const connection = client(signal);
  try {
    return steadyServices(before, await readAgent(connection));
  } finally {
    connection.close();
  }
}

/** A state that will be migrated is kept before; the migration keeps it again, as it is by then. */
function backUpBefore({ check }: Plan): void {
  const { data, state_version, next_state_version } = check;
  if (state_version === null || state_version === next_state_version) return;
  backUpVersion(join(data, 'davit.db'), join(data, 'backups'));
}

async function restartAndProve(
  plan: Plan,
  version: string,
  services: AgentState['services'],
  { flags, signal, onStep }: Surroundings,
): Promise<AgentState> {
  const { unit, client, before, check } = plan;
  const timeout = flags.timeout === undefined ? readyTimeout : milliseconds(flags.timeout);
  const end = performance.now() + timeout;
  const failure = await unit.restart(timeout, signal);
  signal.throwIfAborted();
  failPoint('upgrade.restarted');
  if (failure !== null) throw new DavitError('upgrade_failed', failure);
  onStep(`${unit.name} is restarted, and says that it is ready`);
  const agentBefore = before?.pid ?? 0;
  const expected = { version, agentBefore, services, startsAnew: check.stop_services };
  // However little time the restart has left, one look is taken.
  return await prove(unit, () => client(signal), expected, Math.max(0, end - performance.now()), signal);
}

async function finish(
  plan: Plan,
  { version, pid }: AgentState,
  services: AgentState['services'],
  onStep: (text: string) => void,
): Promise<Result> {
  const { unit, facts, binary, before, check } = plan;
  const how = check.stop_services ? 'run again' : 'run on with the same pids';
  onStep(`${version} answers as pid ${pid}; ${services.size} services ${how}`);
  if (await hasOtherUnit(plan))
    onStep(`note: the unit of this version differs from ${facts.file}; davit systemd prints it`);
  onStep(
    `to go back: davit upgrade --binary ${binary.previous}${unit.name === defaultUnit ? '' : ` --unit ${unit.name}`}`,
  );
  return { upgraded: true, from: before?.version ?? null, to: version, pid, services: services.size };
}

/** Puts everything back as it was, and returns the error that tells how that went. */
async function goBack(
  plan: Plan,
  error: unknown,
  services: AgentState['services'],
  began: Date,
  { onStep, signal }: Surroundings,
): Promise<DavitError> {
  const { unit, binary, before, facts } = plan;
  const reason = signal.aborted ? 'interrupted' : `the new binary failed: ${firstLine(error)}`;
  onStep(`${reason}; going back`);
  const last_lines = await unit.lastLines(began);
  const fields = signal.aborted ? (signal.reason as DavitError).fields : { last_lines };
  const fail = (message: string) =>
    new DavitError('upgrade_failed', `${reason}; ${message}`, { cause: error, fields });
  try {
    binary.putBack();
    onStep(`${binary.path} is the previous binary again`);
    const { state } = await unit.read();
    // One that hangs at its start would make the stop wait for its time limit.
    if (state !== 'active') await unit.kill();
    await restoreState(plan, onStep);
    // Whoever had stopped it finds it stopped.
    const failure = facts.state === 'inactive' ? await unit.stop() : await unit.restart(returnTimeout);
    if (failure !== null) throw new DavitError('upgrade_failed', failure);
    const expected = { agentBefore: 0, services, startsAnew: plan.check.stop_services };
    if (before === null) return fail('the previous binary is back in its place');
    const isIdle = new AbortController().signal;
    await prove(unit, () => plan.client(isIdle), { ...expected, version: before.version }, readyTimeout);
    return fail(`the previous binary is back in its place and runs (${before.version}), with every service`);
  } catch (second) {
    const where = unit.isUser ? '--user-unit' : '--unit';
    return fail(
      `the previous binary is back in its place, but is not well either: ${firstLine(second)}. See journalctl ${where} ${unit.name}`,
    );
  }
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
  if (done === null)
    throw new DavitError('upgrade_failed', `there is no backup of the state of version ${state_version}`);
  onStep(
    `the state is that of ${done.restored} again, from before the migration; the migrated one is kept as ${done.kept}`,
  );
}

function firstLine(error: unknown): string {
  return errorMessage(error).split('\n')[0] ?? '';
}
