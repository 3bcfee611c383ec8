import { existsSync } from 'node:fs';
import { errorMessage } from '../lib/errors.ts';
import { ownAccount } from './account.ts';
import type { ControlGroup, ControlGroups } from './control_group.ts';
import {
  commandLine,
  type HeldProcess,
  type LaunchedProcess,
  type Program,
  startWrapper,
  type WrapperOptions,
} from './launch.ts';
import type { Lifelines } from './lifeline.ts';
import { applyLimits, openFilesOf } from './limits.ts';
import { markName } from './process_table.ts';
import { variablesOfWrapper, type WrapperPlace, wrapperScript } from './wrapper.ts';

/** The descriptors that the output of a program goes to. */
export interface OutputDescriptors {
  readonly stdout: number;
  readonly stderr: number;
}

/** A wrapper that has its program, and waits to be let go. */
export interface Wrapper extends LaunchedProcess {
  readonly instance_id: string;
  readonly control_group: ControlGroup | null;
  letGo(): Promise<number>;
}

/** A wrapper that waits for any program that is to run as the agent's own account. */
interface ReadyWrapper extends HeldProcess {
  readonly instance_id: string;
  readonly control_group: ControlGroup | null;
}

interface WrappersOptions {
  readonly lifelines: Lifelines;
  readonly groups: ControlGroups;
  readonly newId: () => string;
  readonly onProblem: (message: string) => void;
}

/** How many wrappers wait. To make one takes longer than all else that a start needs: it copies the agent's page tables. */
const readyWrappers = 12;
/** How many are made ahead at most for those who ask for it. */
const mostReserved = 32;
/** How long nothing must have been started before others are made ready, in milliseconds. */
const quietTime = 100;

/** The wrappers of instances. A few are made before they are needed. */
export class Wrappers {
  readonly #options: WrappersOptions;
  readonly #account = ownAccount();
  /** Such a wrapper opens the output that it is told, through /proc. */
  readonly #canBeReady = existsSync(`/proc/${process.pid}/fd`);
  readonly #ready: ReadyWrapper[] = [];
  #isMaking = false;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: WrappersOptions) {
    this.#options = options;
  }

  /** The wrapper of a program: one that is ready, if that will do, or a new one. */
  async take(program: Program, output: OutputDescriptors): Promise<Wrapper> {
    const env = variablesOfWrapper(program.env);
    const { account, cwd } = program;
    const ready =
      account.switch_to === null && Object.keys(env).length === 0 ? this.#ready.shift() : undefined;
    if (ready !== undefined) return this.#limited(ready, program, { cwd, ...output });
    const made = await this.#make({ account, cwd, env, ...output });
    return this.#limited(made, program, null);
  }

  /** Throws `not_supported` where the program must not run without a limit that cannot be set. */
  #limited(held: ReadyWrapper, program: Program, place: WrapperPlace | null): Wrapper {
    try {
      for (const sentence of applyLimits(program.limits, held.control_group))
        this.#options.onProblem(sentence);
      return this.#wrapperOf(held, program, place);
    } catch (error) {
      this.#discard(held);
      throw error;
    }
  }

  /** To make one holds up everything else for a moment, so it waits for a quiet one. */
  #makeReadyLater(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.makeReady(), quietTime).unref();
  }

  /**
   * Sees to it that so many wait, as far as that is reasonable: what is to be started next can then be started, whatever
   * the system refuses by then. Throws the system's reason where one cannot be made.
   */
  async reserve(count: number): Promise<void> {
    const enough = Math.min(count, mostReserved);
    while (this.#canBeReady && !this.#isClosed && this.#ready.length < enough)
      this.#keep(await this.#make(this.#unspecified()));
  }

  /** Makes wrappers until enough wait, one after another. */
  makeReady(): void {
    const enough = this.#isClosed || !this.#canBeReady || this.#ready.length >= readyWrappers;
    if (enough || this.#isMaking) return;
    this.#isMaking = true;
    this.#make(this.#unspecified())
      .then((wrapper) => this.#keep(wrapper))
      // Whoever needs one makes it, and is told what hinders it.
      .catch(() => {})
      .finally(() => {
        this.#isMaking = false;
      });
  }

  /** A wrapper of whatever comes. */
  #unspecified(): Omit<WrapperOptions, 'lifeline'> {
    return { account: this.#account, cwd: '/', env: {}, stdout: 'ignore', stderr: 'ignore' };
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const wrapper of this.#ready.splice(0)) this.#discard(wrapper);
  }

  #keep(wrapper: ReadyWrapper): void {
    this.#ready.push(wrapper);
    if (this.#isClosed) this.close();
    // Somebody may have killed it before it was needed.
    void wrapper.exited.then(() => {
      const place = this.#ready.indexOf(wrapper);
      if (place === -1) return;
      this.#ready.splice(place, 1);
      this.#discard(wrapper);
    });
    setImmediate(() => this.makeReady());
  }

  #discard(wrapper: ReadyWrapper): void {
    wrapper.abandon();
    void wrapper.exited.then(() => wrapper.control_group?.remove());
    this.#options.lifelines.remove(wrapper.instance_id);
  }

  async #make(options: Omit<WrapperOptions, 'lifeline'>): Promise<ReadyWrapper> {
    const { lifelines } = this.#options;
    const instance_id = this.#options.newId();
    const lifeline = lifelines.open(instance_id);
    try {
      const held = await startWrapper({
        ...options,
        env: { ...options.env, [markName]: instance_id },
        lifeline,
      });
      const control_group = await this.#putIntoGroup(instance_id, held.identity.pid);
      return { ...held, instance_id, control_group };
    } catch (error) {
      lifelines.remove(instance_id);
      throw error;
    } finally {
      lifeline?.release();
    }
  }

  /** Null where there are no control groups, or the system refuses one. */
  async #putIntoGroup(instance_id: string, pid: number): Promise<ControlGroup | null> {
    let made: ControlGroup | null = null;
    try {
      made = this.#options.groups.create(instance_id);
      await made?.add(pid);
      return made;
    } catch (error) {
      this.#options.onProblem(`an instance runs without a control group: ${errorMessage(error)}`);
      made?.remove();
      return null;
    }
  }

  #wrapperOf(held: ReadyWrapper, program: Program, place: WrapperPlace | null): Wrapper {
    const { identity, exited, instance_id, control_group } = held;
    const letGo = () => {
      this.#makeReadyLater();
      const open_files = openFilesOf(program.limits);
      return held.letGo(wrapperScript({ ...commandLine(program), env: program.env, place, open_files }));
    };
    return { identity, exited, instance_id, control_group, letGo };
  }
}
