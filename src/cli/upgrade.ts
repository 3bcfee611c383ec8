import { join } from 'node:path';
import type { Command } from 'commander';
import { backUpVersion } from '../lib/database.ts';
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
import { goBack } from './upgrade_return.ts';

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
  // Who loses the terminal must not leave the upgrade half done: it goes on, and back when it cannot tell any more.
  const onHangUp = () => {};
  process.on('SIGHUP', onHangUp);
  try {
    const plan = await makePlan(options, around);
    try {
      const result = await carryOut(plan, options, around);
      if (json) terminal.json(result);
    } finally {
      plan.binary.removeLeftovers();
    }
  } finally {
    process.off('SIGHUP', onHangUp);
    unlock();
  }
}

async function carryOut(plan: Plan, options: UpgradeOptions, around: Surroundings): Promise<Result> {
  const { binary, before, version } = plan;
  const reason = await reasonToStay(plan, options);
  if (reason !== null) {
    around.onStep(reason);
    const [pid, services] = [before?.pid ?? null, before?.services.size ?? 0];
    return { upgraded: false, from: before?.version ?? null, to: version, pid, services };
  }
  const services = await readSteady(plan, around);
  around.signal.throwIfAborted();
  const began = new Date();
  exchange(plan);
  around.onStep(`${binary.previous} is what ran until now${before === null ? '' : `: ${before.version}`}`);
  around.onStep(`${binary.path} is ${version}`);
  let state: AgentState;
  try {
    state = await restartAndProve(plan, services, around);
  } catch (error) {
    throw await goBack({ plan, error, services, began, around });
  }
  return await finish(plan, state, services, around.onStep);
}

/** Why nothing is to be changed, or null. */
async function reasonToStay({ binary, facts, unit }: Plan, options: UpgradeOptions): Promise<string | null> {
  if ((await binary.isStaged()) && binary.isRunBy(facts.pid)) {
    const hint = isUp(facts) ? '' : `; it is ${facts.state}: systemctl start ${unit.name}`;
    return `nothing to do: ${binary.path} is this binary already${hint}`;
  }
  return options.dryRun
    ? `it would replace ${binary.path}, which ${unit.name} runs; nothing was changed`
    : null;
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

/** Keeps what has to be kept, and puts the new binary in force as the last step of all. */
function exchange(plan: Plan): void {
  const { binary, facts } = plan;
  try {
    backUpBefore(plan);
    binary.keepPresent(facts.pid);
    binary.swap();
  } catch (cause) {
    const message = `${binary.path} cannot be replaced, so nothing was changed: ${errorMessage(cause)}`;
    throw new DavitError('upgrade_refused', message, { cause });
  }
}

/** A state that will be migrated is kept before; the migration keeps it again, as it is by then. */
function backUpBefore({ check }: Plan): void {
  const { data, state_version, next_state_version } = check;
  if (state_version === null || state_version === next_state_version) return;
  backUpVersion(join(data, 'davit.db'), join(data, 'backups'));
}

async function restartAndProve(
  { unit, client, before, check, version }: Plan,
  services: AgentState['services'],
  { flags, signal, onStep }: Surroundings,
): Promise<AgentState> {
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
