import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';
import { promisify } from 'node:util';
import treeKill from 'tree-kill';
import type { StopReport } from '../contract/processes.ts';
import { failPoint } from '../lib/fail_point.ts';
import { findTree, hasGroup, isGone, type TreeMember, type TreeTarget } from './descendants.ts';
import { answersSignals, isAlive } from './identity.ts';
import type { ProcessTable } from './process_table.ts';
import { signalMember, signalMembers } from './signal.ts';

export interface StopOptions {
  /** What asks the processes to end. */
  readonly signal: NodeJS.Signals;
  /** How long they get before SIGKILL, in milliseconds. */
  readonly timeout_ms: number;
}

type Outcome = Pick<StopReport, 'ended_by' | 'swept' | 'survivors'>;

/**
 * How long SIGKILL gets to take effect, in milliseconds. What is there afterwards waits in the kernel, may not be
 * signalled by this agent, or forks faster than it can be killed.
 */
const killTimeout = 2_000;
/** How many looks in a row must find nothing, and how many do while there seems to be somebody in the group. */
const fewestLooks = 2;
const mostLooks = 4;
/** The same for a control group that is not empty although nobody was seen in it: they fork and end too fast. */
const mostLooksAtGroup = 50;
/** How many looks in a row may miss a first process that takes signals: that may be a zombie, or another's by now. */
const mostBlindLooks = 5;
/** The longest pause between two looks at processes that are ending, in milliseconds. */
const longestPause = 50;

/**
 * Ends a whole process tree, whether or not its first process is still there: `signal` to all of it, then SIGKILL to
 * what is left after the timeout, until its control group is empty or, where it has none, two looks in a row find
 * nothing. Returns what that took.
 */
export async function stopTree(
  table: ProcessTable,
  target: TreeTarget,
  { signal, timeout_ms }: StopOptions,
): Promise<StopReport> {
  const began = performance.now();
  const outcome = await (process.platform === 'win32'
    ? stopOnWindows(target)
    : new Stop(table, target).run(signal, timeout_ms));
  const duration_ms = Math.round((performance.now() - began) * 10) / 10;
  const complete = target.control_group ? 'guaranteed' : 'best_effort';
  return { signal, ...outcome, complete, duration_ms };
}

/** One stop of one tree. */
class Stop {
  readonly #table: ProcessTable;
  readonly #target: TreeTarget;
  #endPause: () => void = () => {};
  #hasExited = false;

  constructor(table: ProcessTable, target: TreeTarget) {
    this.#table = table;
    this.#target = target;
  }

  async run(signal: NodeJS.Signals, timeout: number): Promise<Outcome> {
    void this.#target.exited?.then(() => {
      this.#hasExited = true;
      this.#endPause();
    });
    const asked = await this.#end(signal, timeout);
    failPoint('stop.signalled');
    if (asked.left.length === 0 && this.#isEmpty()) {
      // Whoever is in the group all the same is a zombie, or forks and ends too fast to be seen.
      if (!this.#target.control_group) signalMembers(this.#target, [], 'SIGKILL');
      return { ended_by: asked.reached.length > 0 ? 'signal' : 'already_gone', swept: [], survivors: [] };
    }
    const { reached, left } = await this.#end('SIGKILL', killTimeout);
    failPoint('stop.killed');
    return {
      ended_by: reached.length + left.length > 0 ? 'kill' : 'signal',
      swept: reached.filter((member) => !member.in_group).map(({ pid }) => pid),
      survivors: left.length === 0 && this.#isEmpty() ? [] : (await this.#find()).map(({ pid }) => pid),
    };
  }

  /** Signals the tree, and what of it turns up meanwhile, until nothing is left or the time is over. */
  async #end(
    signal: NodeJS.Signals,
    timeout: number,
  ): Promise<{ reached: TreeMember[]; left: TreeMember[] }> {
    let deadline: number | null = null;
    const reached = new Map<number, TreeMember>();
    for (;;) {
      const left = await this.#find();
      deadline ??= performance.now() + timeout;
      const isNew = ({ pid, start_ticks }: TreeMember) => reached.get(pid)?.start_ticks !== start_ticks;
      // A program may take the same signal, come twice, for a wish to end without cleaning up.
      const signalled =
        reached.size === 0 || signal === 'SIGKILL'
          ? signalMembers(this.#target, left, signal)
          : left.filter(isNew).filter((member) => signalMember(member, signal));
      for (const member of signalled) reached.set(member.pid, member);
      // At once, so that none of it can start another meanwhile.
      if (signal === 'SIGKILL') this.#target.control_group?.kill();
      // A process that is halted takes no other signal before it goes on.
      if (signal !== 'SIGKILL') signalMembers(this.#target, left, 'SIGCONT');
      const gone = await this.#untilGone(left, deadline);
      if ((left.length === 0 && this.#isEmpty()) || !gone || performance.now() >= deadline)
        return { reached: [...reached.values()], left };
    }
  }

  /** One look may miss a process that is just being forked, and where all end as they fork, so may several. */
  async #find(): Promise<TreeMember[]> {
    for (let look = 1; ; look++) {
      const found = await findTree(this.#table, this.#target);
      if (found.length > 0) return found;
      if (this.#isBlind(look)) await this.#pause(longestPause);
      else if (this.#isEnough(look)) return found;
    }
  }

  /** Whether nobody was seen because nothing can be: without descriptors, say. Then it waits until something can. */
  #isBlind(look: number): boolean {
    if (process.platform !== 'linux' || this.#hasExited) return false;
    if (!answersSignals(this.#target.identity.pid)) return false;
    return look <= mostBlindLooks || !canOpen();
  }

  /** Where there is no control group, to see nobody has to do. */
  #isEmpty(): boolean {
    return this.#target.control_group?.isEmpty() ?? true;
  }

  #isEnough(look: number): boolean {
    if (this.#target.control_group) return this.#isEmpty() || look >= mostLooksAtGroup;
    return look >= (hasGroup(this.#target) ? mostLooks : fewestLooks);
  }

  /** Looks often at first, for most processes end at once, and less often the longer it takes. */
  async #untilGone(members: readonly TreeMember[], deadline: number): Promise<boolean> {
    for (let pause = 1; !members.every(isGone); pause = Math.min(pause * 1.5, longestPause)) {
      const left = deadline - performance.now();
      if (left <= 0) return false;
      await this.#pause(Math.min(pause, left));
    }
    return true;
  }

  #pause(duration: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, duration);
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Whether there are descriptors left. */
function canOpen(): boolean {
  try {
    closeSync(openSync(devNull, 'r'));
    return true;
  } catch {
    return false;
  }
}

/** Windows has neither signals nor groups: the tree is ended by taskkill, which tree-kill calls. */
async function stopOnWindows({ identity }: TreeTarget): Promise<Outcome> {
  if (!isAlive(identity)) return { ended_by: 'already_gone', swept: [], survivors: [] };
  await promisify<number>(treeKill)(identity.pid);
  return { ended_by: 'kill', swept: [], survivors: isAlive(identity) ? [identity.pid] : [] };
}
