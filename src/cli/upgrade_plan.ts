import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type AgentCheck, agentCheck } from '../contract/agent_check.ts';
import { lockDirectory } from '../lib/directory_lock.ts';
import { DavitError } from '../lib/errors.ts';
import { AgentClient } from './client.ts';
import type { CommonFlags } from './command.ts';
import { InstalledBinary } from './installed_binary.ts';
import { resolveTarget } from './target.ts';
import type { Environment } from './terminal.ts';
import { runTool, type ToolOptions } from './tool.ts';
import { isUp, Unit, type UnitFacts } from './unit.ts';
import { type AgentState, readAgent } from './upgrade_proof.ts';

export interface UpgradeOptions {
  readonly binary: string;
  readonly unit: string;
  readonly user?: boolean;
  readonly dryRun?: boolean;
}

/** Everything that is known before anything is changed. */
export interface Plan {
  readonly unit: Unit;
  readonly facts: UnitFacts;
  readonly binary: InstalledBinary;
  /** What the new binary answers to `--version`. */
  readonly version: string;
  /** What the new binary says of the configuration and the state. */
  readonly check: AgentCheck;
  /** The agent as it is; null: none runs. */
  readonly before: AgentState | null;
  /** A client of this host's agent, as it is described at that moment. */
  readonly client: (signal?: AbortSignal) => AgentClient;
}

export interface Surroundings {
  readonly environment: Environment;
  readonly flags: CommonFlags;
  readonly isRoot: boolean;
  readonly signal: AbortSignal;
  /** Told after each step that is done. */
  readonly onStep: (text: string) => void;
}

/** Milliseconds for a program to tell its version. */
const versionTimeout = 20_000;
/** Milliseconds for the check of a great state on a slow disk. */
const checkTimeout = 300_000;
/** Milliseconds for each answer of an agent. */
const answerTimeout = 10_000;

/**
 * Makes sure that there is a systemd whose unit the caller may change, and that nobody else upgrades at the same time.
 * Returns what gives the lock free. Throws `upgrade_refused`.
 */
export function takeHost(
  { user = false }: UpgradeOptions,
  { environment, isRoot }: Surroundings,
): () => void {
  const runtime = user ? environment['XDG_RUNTIME_DIR'] : '/run';
  if (runtime === undefined || !existsSync(join(runtime, 'systemd', user ? 'private' : 'system'))) {
    throw refused(
      `there is no ${user ? 'systemd of your own' : 'systemd'} on this host to restart the agent. By hand: put the new binary ` +
        'beside the present one, rename it over that, end the agent (SIGTERM) and start it again; services run on meanwhile',
    );
  }
  if (!user && !isRoot) {
    throw refused(
      'this takes root, as with sudo; for an agent under the systemd of your own account: --user',
    );
  }
  const folder = join(runtime, 'davit-upgrade');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  try {
    return lockDirectory(folder);
  } catch (cause) {
    if ((cause as DavitError).code !== 'state_conflict') throw cause;
    throw new DavitError('upgrade_refused', 'another upgrade is under way on this host', { cause });
  }
}

/** Finds out and proves whatever can be known before anything is changed; stages the new binary beside the present. */
export async function makePlan(options: UpgradeOptions, around: Surroundings): Promise<Plan> {
  const unit = new Unit(options.unit, options.user ?? false, around.environment);
  requireFile(options.binary);
  const facts = await unit.read();
  const binary = new InstalledBinary(facts.program);
  binary.removeLeftovers();
  binary.stage(options.binary);
  try {
    const version = await askVersion(options.binary, binary.staged);
    around.onStep(`${options.binary} starts: ${version}`);
    const check = await askCheck(binary.staged, facts, around.signal);
    around.onStep(`it can run with the configuration and the state in ${check.data}: ${describe(check)}`);
    const client = clientFor(around, check.data);
    const before = isUp(facts) ? await readBefore(unit, client(around.signal)) : null;
    return { unit, facts, binary, version, check, before, client };
  } catch (error) {
    binary.removeLeftovers();
    throw error;
  }
}

function requireFile(file: string): void {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined) throw new DavitError('usage', `there is no file ${file}`);
  if (!found.isFile()) throw new DavitError('usage', `${file} is no file`);
  if ((found.mode & 0o111) === 0)
    throw new DavitError('usage', `${file} is not executable: chmod +x ${file}`);
}

async function askVersion(file: string, staged: string): Promise<string> {
  const env = { PATH: '/usr/bin:/bin' };
  const { output, failure } = await runTool(staged, ['--version'], { env, timeout: versionTimeout });
  if (failure !== null)
    throw refused(`${file} does not start on this host, so nothing was changed: ${failure}`);
  const [version] = /^davit \S+ \(\S+\)$/m.exec(output) ?? [];
  if (version === undefined) {
    const [answer = ''] = output.split('\n');
    throw refused(`${file} is no davit, so nothing was changed: it answers "${answer}" to --version`);
  }
  return version;
}

async function askCheck(staged: string, facts: UnitFacts, signal: AbortSignal): Promise<AgentCheck> {
  const account = await accountOf(facts.user);
  const env = { ...account.env, ...facts.environment };
  const options: ToolOptions = { ...account.ids, env, timeout: checkTimeout, signal };
  const { output, complaint, failure } = await runTool(
    staged,
    ['agent', ...facts.flags, '--check', '--json'],
    options,
  );
  signal.throwIfAborted();
  const answer = parse(output);
  if (failure === null) {
    const { data, success } = agentCheck.safeParse(answer);
    if (success) return data;
  }
  const reason = (answer as { error?: string } | null)?.error ?? (complaint.trim() || failure || 'no answer');
  throw refused(`the new binary cannot run here, so nothing was changed: ${reason}`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Whom a unit with User= runs as. */
async function accountOf(
  user: string,
): Promise<{ env: Record<string, string>; ids: { uid?: number; gid?: number } }> {
  if (user === '') return { env: {}, ids: {} };
  const env = { PATH: '/usr/bin:/bin' };
  const { output, failure } = await runTool('getent', ['passwd', user], { env, timeout: versionTimeout });
  const [name = '', , uid, gid, , home = ''] = output.trim().split(':');
  if (failure !== null || uid === undefined)
    throw refused(`the unit runs as ${user}, whom this host does not know`);
  const ids = Number(uid) === process.getuid?.() ? {} : { uid: Number(uid), gid: Number(gid) };
  return { env: { HOME: home, USER: name, LOGNAME: name }, ids };
}

function clientFor({ environment, flags, isRoot, signal }: Surroundings, data: string): Plan['client'] {
  return (given = signal) => {
    const target = resolveTarget({ ...flags, context: 'local', data }, environment, isRoot);
    return new AgentClient(target, answerTimeout, given);
  };
}

/** Without knowing what runs, there would be no proof that it goes on. */
async function readBefore(unit: Unit, client: AgentClient): Promise<AgentState> {
  try {
    return await readAgent(client);
  } catch (cause) {
    const { code = '', message } = cause as DavitError;
    if (code === 'interrupted') throw cause;
    throw new DavitError(
      code || 'upgrade_refused',
      `nothing was changed, because the agent that runs does not tell what it runs: ${message}. ` +
        `An agent that does not answer can be ended first: systemctl stop ${unit.name}`,
      { cause },
    );
  } finally {
    client.close();
  }
}

function describe({ state_version, next_state_version, services, releases }: AgentCheck): string {
  if (state_version === null) return 'there is none yet';
  const what = `${services} services, ${releases} releases`;
  if (state_version === next_state_version) return what;
  return `${what}; it brings the state from version ${state_version} to ${next_state_version}`;
}

/** Whether the unit that the new binary would print differs from the one that is installed. */
export async function hasOtherUnit({ binary, facts, unit }: Plan): Promise<boolean> {
  const args = ['systemd', '--binary', binary.path, ...(unit.isUser ? ['--user'] : [])];
  const env = { PATH: '/usr/bin:/bin' };
  const { output, failure } = await runTool(binary.path, args, { env, timeout: versionTimeout });
  return failure === null && existsSync(facts.file) && readFileSync(facts.file, 'utf8') !== output;
}

function refused(message: string): DavitError {
  return new DavitError('upgrade_refused', message);
}
