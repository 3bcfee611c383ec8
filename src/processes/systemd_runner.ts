import { execFile } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DavitError } from '../lib/errors.ts';
import { findTool } from '../lib/host_tools.ts';
import { switchCommand } from './account_switch.ts';
import type { ControlGroup } from './control_group.ts';
import { type ProcessIdentity, readIdentity } from './identity.ts';
import { checkLaunch, commandLine, type Program, type ProgramLimits } from './launch.ts';
import type { Lifelines, NewLifeline } from './lifeline.ts';
import { openFilesOf } from './limits.ts';
import { markName } from './process_table.ts';
import {
  groupOf,
  listUnitGroups,
  type UnitManager,
  unitName,
  unitProperties,
  unlimitable,
  unsetLimits,
} from './transient_unit.ts';
import { quote, variablesOfWrapper, wrapperCommand, wrapperScript } from './wrapper.ts';
import type { OutputDescriptors, Wrapper } from './wrappers.ts';

interface SystemdRunnerOptions {
  readonly lifelines: Lifelines;
  readonly newId: () => string;
  /** The environment of the agent, which says where the systemd of its account is. */
  readonly environment: NodeJS.ProcessEnv;
}

/** How long systemd may take to start a wrapper, in milliseconds. */
const startTimeout = 30_000;
/** How many units systemd is asked for at a time; it makes one after the other. */
const mostAtOnce = 8;
/** How much of what systemd-run says is kept, in characters. */
const longestReason = 500;

/**
 * Starts the wrappers of instances as transient units: systemd is their parent, limits them, and ends them when an operator
 * stops the unit or the host is shut down. All else is as with those that the agent starts. The script comes through a
 * pipe, so that no variable stands in a command line or in a property of the unit; the output goes straight to its files;
 * the lifeline and the notes tell how it ended.
 */
export class SystemdRunner {
  readonly #options: SystemdRunnerOptions;
  readonly #uid = process.geteuid?.() ?? -1;
  readonly #manager: UnitManager = this.#uid === 0 ? 'system' : 'user';
  readonly #waiting: (() => void)[] = [];
  #beginning = 0;

  constructor(options: SystemdRunnerOptions) {
    this.#options = options;
  }

  /**
   * What cannot be limited, as sentences. Throws `not_supported` where it can be known beforehand that a program cannot be
   * started as a unit, or must not be started without a limit.
   */
  check({ env, account, limits }: Pick<Program, 'env' | 'account' | 'limits'>): string[] {
    const obstacle = this.#obstacle();
    if (obstacle !== null) throw notSupported(`${obstacle}: use "runner: direct"`);
    if (account.switch_to !== null) switchCommand(account.switch_to, account.name);
    const [name] = Object.keys(variablesOfWrapper(env));
    if (name !== undefined)
      throw notSupported(
        `the variable ${JSON.stringify(name)} cannot be given to a unit: leave it out, or use "runner: direct"`,
      );
    const refused = [...unlimitable(limits, this.#manager, this.#uid), ...this.#refusedOpenFiles(limits)];
    if (limits.enforcement === 'required' && refused.length > 0)
      throw notSupported(`${refused.join('; ')}; set limits.enforcement to best_effort to start without it`);
    return refused;
  }

  /** Makes the wrapper of a program, which waits until it is let go. Throws with the reason that systemd gives. */
  async take(program: Program, output: OutputDescriptors): Promise<Wrapper> {
    this.check(program);
    const { lifelines } = this.#options;
    const instance_id = this.#options.newId();
    const lifeline = lifelines.open(instance_id);
    if (lifeline === null) throw failure('its lifeline cannot be made (is mkfifo missing?)');
    let takePipe: (() => Socket) | undefined;
    try {
      takePipe = lifelines.openScript(instance_id);
      const leader = await this.#inTurn(() => this.#begin(instance_id, lifeline, program, output));
      const exited = lifeline.ended.then(() => lifelines.notesOf(instance_id).exit);
      const pipe = takePipe();
      // The wrapper may be gone when it is written to.
      pipe.on('error', () => {});
      void exited.then(() => pipe.destroy());
      const letGo = async () => {
        const { env, limits } = program;
        const open_files = this.#openFilesOf(limits);
        const script = wrapperScript({ ...commandLine(program), env, place: null, open_files });
        pipe.write(script, () => pipe.destroy());
        return (await lifeline.told) ?? leader.identity.pid;
      };
      return { ...leader, instance_id, exited, letGo };
    } catch (error) {
      // Whoever has it waits no longer, and who comes for it does not find it.
      takePipe?.().destroy();
      lifelines.remove(instance_id);
      throw error;
    } finally {
      lifeline.release();
      rmSync(lifelines.filesOf(instance_id).head, { force: true });
    }
  }

  /** The control groups of the units that run, by their instances. */
  groups(): Map<string, ControlGroup> {
    return listUnitGroups(this.#manager, this.#uid);
  }

  /** Why no unit can be started here; null where one can. */
  #obstacle(): string | null {
    if (!existsSync('/run/systemd/system')) return 'systemd does not run this host';
    if (findTool('systemd-run') === null) return 'systemd-run, which is a part of systemd, is missing';
    if (this.#manager === 'system' || existsSync(join(this.#runtimeDirectory, 'systemd/private')))
      return null;
    return `the account of the agent has no systemd of its own now (loginctl enable-linger ${this.#uid} starts one)`;
  }

  /** Only the host's systemd can give more than the agent has. */
  #openFilesOf(limits: ProgramLimits): number | null {
    return this.#manager === 'system' ? limits.open_files : openFilesOf(limits);
  }

  #refusedOpenFiles(limits: ProgramLimits): string[] {
    const most = this.#openFilesOf(limits);
    if (most === limits.open_files) return [];
    return [`the limit open_files cannot be set: the agent itself may open no more than ${most}`];
  }

  get #runtimeDirectory(): string {
    return this.#options.environment['XDG_RUNTIME_DIR'] || `/run/user/${this.#uid}`;
  }

  async #inTurn<T>(begin: () => Promise<T>): Promise<T> {
    if (this.#beginning < mostAtOnce) this.#beginning++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await begin();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#beginning--;
      else next();
    }
  }

  async #begin(
    instance: string,
    lifeline: NewLifeline,
    program: Program,
    output: OutputDescriptors,
  ): Promise<{ readonly identity: ProcessIdentity; readonly control_group: ControlGroup | null }> {
    const { head } = this.#options.lifelines.filesOf(instance);
    writeFileSync(head, this.#head(instance, program, output), { mode: 0o600, flag: 'wx' });
    const late = new AbortController();
    const pid = await Promise.race([
      lifeline.leader,
      this.#handOver(instance, head, program),
      sleep(startTimeout, null, { ref: false, signal: late.signal }),
    ]).finally(() => late.abort());
    if (pid === null) throw failure(`systemd has not started it within ${startTimeout / 1000} s`);
    if (pid === 0) {
      // Its directory may be gone by now.
      checkLaunch(program);
      throw failure(`it could not open what it needs; see journalctl --unit=${unitName(instance)}`);
    }
    const identity = readIdentity(pid);
    if (identity === null) throw failure('its unit ended at once; the journal of the host may say why');
    const control_group = groupOf(pid);
    if (control_group !== null && basename(control_group.folder) !== unitName(instance))
      throw notSupported(
        'the systemd that answers is not the one that the agent runs under: use "runner: direct"',
      );
    const unset = program.limits.enforcement === 'required' ? unsetLimits(program.limits, control_group) : [];
    if (unset.length > 0) throw notSupported(unset.join('; '));
    return { identity, control_group };
  }

  /** Rejects where systemd takes no such unit; what it takes tells by its lifeline that it has begun. */
  #handOver(instance: string, head: string, program: Program): Promise<never> {
    const args = [
      ...(this.#manager === 'user' ? ['--user'] : []),
      ...['--quiet', '--no-block', '--collect', '--no-ask-password', `--unit=${unitName(instance)}`],
      ...unitProperties(program, this.#manager).map((property) => `--property=${property}`),
      // By its name alone: what systemd expands in a command line may stand in the path.
      ...[`--property=WorkingDirectory=${dirname(head)}`, '/bin/sh', basename(head)],
    ];
    const env = { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8', XDG_RUNTIME_DIR: this.#runtimeDirectory };
    return new Promise((_, reject) => {
      execFile(
        findTool('systemd-run') ?? 'systemd-run',
        args,
        { env, timeout: startTimeout },
        (error, _, said) => {
          if (error) reject(failure(said.trim().slice(0, longestReason) || `systemd-run: ${error.message}`));
        },
      ).unref();
    });
  }

  /**
   * What the unit runs first, as the account of the agent: it opens what a child of the agent would have been given, and
   * says so. Then it becomes the wrapper, with the account and the environment of one.
   */
  #head(instance: string, { account, cwd }: Program, output: OutputDescriptors): string {
    const { script, pipe, notes } = this.#options.lifelines.filesOf(instance);
    const switching = account.switch_to === null ? [] : switchCommand(account.switch_to, account.name);
    const command = [...switching, '/usr/bin/env', '-i', `${markName}=${instance}`, ...wrapperCommand];
    const files = `/proc/${process.pid}/fd`;
    // Opened for both, the pipe waits for nobody; then who reads it waits for the agent alone.
    return `exec 3<>${quote(script)} <${quote(script)} 3<>${quote(pipe)}
trap 'echo wrapper 0 >&3' EXIT
exec 4>>${quote(notes)} 5>>${files}/${output.stdout} 6>>${files}/${output.stderr}
cd -- ${quote(cwd)} || exit
echo wrapper $$ >&3
trap - EXIT
exec ${command.map(quote).join(' ')} >&5 2>&6 5>&- 6>&-
`;
  }
}

function failure(reason: string): DavitError {
  return new DavitError('spawn_failed', `the service cannot be started as a unit: ${reason}`);
}

function notSupported(message: string): DavitError {
  return new DavitError('not_supported', message);
}
