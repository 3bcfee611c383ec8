import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Account, CpuAccount } from '../../src/processes/cpu_account.ts';

interface Actor extends Account {
  readonly alive: boolean;
}

/** A tree of processes as the kernel keeps their times. */
class Kernel {
  readonly actors = new Map<number, Actor>();
  /** All that was ever used in the tree. */
  used = 0;
  #lastPid = 100;

  constructor() {
    this.#add(1);
  }

  get living(): Actor[] {
    return [...this.actors.values()].filter(({ alive }) => alive);
  }

  work({ pid }: Actor, seconds: number): void {
    this.used += seconds;
    this.#change(pid, ({ cpu_seconds }) => ({ cpu_seconds: cpu_seconds + seconds }));
  }

  fork({ pid }: Actor): void {
    this.#add(pid);
  }

  /** Its parent takes note of its end, and is given all its time; its children are given to somebody outside. */
  exit({ pid, parent, cpu_seconds, children_cpu_seconds }: Actor): void {
    this.#change(pid, () => ({ alive: false }));
    if (this.actors.get(parent)?.alive)
      this.#change(parent, (actor) => ({
        children_cpu_seconds: actor.children_cpu_seconds + cpu_seconds + children_cpu_seconds,
      }));
    for (const child of this.living) if (child.parent === pid) this.#change(child.pid, () => ({ parent: 1 }));
  }

  #add(parent: number): void {
    const pid = ++this.#lastPid;
    const facts = { pid, parent, start_ticks: String(pid), cpu_seconds: 0, children_cpu_seconds: 0 };
    this.actors.set(pid, { ...facts, alive: true });
  }

  #change(pid: number, change: (actor: Actor) => Partial<Actor>): void {
    const actor = this.actors.get(pid);
    if (actor !== undefined) this.actors.set(pid, { ...actor, ...change(actor) });
  }
}

const step = fc.record({
  who: fc.nat(),
  deed: fc.constantFrom('fork', 'fork', 'work', 'work', 'work', 'exit', 'look'),
  // What binary fractions hold exactly, so that sums are compared without a tolerance.
  seconds: fc.integer({ min: 1, max: 64 }),
});
const steps = fc.array(step, { maxLength: 80 });
type Step = { who: number; deed: string; seconds: number };

/** Lets processes live, and has what each look found told. */
function live(
  history: readonly Step[],
  mayExit: (actor: Actor, kernel: Kernel) => boolean,
  onLook: (seconds: number, kernel: Kernel) => void,
): void {
  const kernel = new Kernel();
  const account = new CpuAccount();
  for (const { who, deed, seconds } of [...history, { who: 0, deed: 'look', seconds: 1 }]) {
    const actor = kernel.living[who % kernel.living.length];
    if (deed === 'look') onLook(account.take(kernel.living), kernel);
    else if (actor === undefined) continue;
    else if (deed === 'fork') kernel.fork(actor);
    else if (deed === 'work') kernel.work(actor, seconds / 64);
    else if (mayExit(actor, kernel)) kernel.exit(actor);
  }
}

test('the time of a tree never falls and is never more than was used, whoever ends', () => {
  fc.assert(
    fc.property(steps, (history) => {
      let before = 0;
      const check = (seconds: number, { used }: Kernel) => {
        assert.ok(seconds >= before, `${seconds} after ${before}`);
        assert.ok(seconds <= used, `${seconds} of ${used}`);
        before = seconds;
      };
      live(history, () => true, check);
    }),
  );
});

test('the time of a tree whose processes take note of the ends of their children is all that was used', () => {
  const isLeaf = ({ pid, parent }: Actor, { living }: Kernel) =>
    parent !== 1 && !living.some((each) => each.parent === pid);
  fc.assert(
    fc.property(steps, (history) => {
      live(history, isLeaf, (seconds, { used }) => assert.equal(seconds, used));
    }),
  );
});

test('what was seen of a process stays counted when nobody in the tree takes note of its end', () => {
  const account = new CpuAccount();
  const shell = { pid: 10, parent: 1, start_ticks: '1', cpu_seconds: 1, children_cpu_seconds: 0 };
  const daemon = { pid: 11, parent: 1, start_ticks: '2', cpu_seconds: 50, children_cpu_seconds: 0 };
  assert.equal(account.take([shell, daemon]), 51);
  assert.equal(account.take([{ ...shell, cpu_seconds: 2 }]), 52);
  assert.equal(account.take([]), 52);
});

test('a pid that is used again is another process', () => {
  const account = new CpuAccount();
  const first = { pid: 10, parent: 1, start_ticks: '1', cpu_seconds: 9, children_cpu_seconds: 0 };
  assert.equal(account.take([first]), 9);
  assert.equal(account.take([{ ...first, start_ticks: '5', cpu_seconds: 1 }]), 10);
});

test('processes that name each other as parents are no endless task', () => {
  const account = new CpuAccount();
  const [one, other] = [
    { pid: 10, parent: 11, start_ticks: '1', cpu_seconds: 1, children_cpu_seconds: 0 },
    { pid: 11, parent: 10, start_ticks: '1', cpu_seconds: 1, children_cpu_seconds: 0 },
  ];
  assert.equal(account.take([one, other]), 2);
  assert.equal(account.take([]), 2);
});
