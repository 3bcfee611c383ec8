import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Relations, treeAmong } from '../../src/processes/descendants.ts';

interface Actor extends Relations {
  readonly alive: boolean;
  /** Whether it truly descends from the first process of the tree. */
  readonly ours: boolean;
}

const target = { identity: { pid: 100, start_ticks: '10', boot_id: '' }, instance_id: 'mine' };
const first: Actor = actorOf({ pid: 100, parent: 50, start_ticks: '10', mark: 'mine', ours: true });
/** What runs beside the tree: older and younger, with other marks and none. */
const strangers: readonly Actor[] = [
  actorOf({ pid: 50, parent: 1, start_ticks: '1' }),
  actorOf({ pid: 60, parent: 1, start_ticks: '2' }),
  actorOf({ pid: 101, parent: 50, start_ticks: '11', mark: 'another' }),
];

function actorOf(facts: Partial<Actor> & Pick<Actor, 'pid' | 'parent' | 'start_ticks'>): Actor {
  return { group: facts.pid, session: facts.pid, mark: '', alive: true, ours: false, ...facts };
}

/** One thing that processes do: the acting one is chosen by a number. */
const step = fc.record({
  who: fc.nat(),
  deed: fc.constantFrom('fork', 'fork', 'fork', 'setsid', 'setpgid', 'clear', 'exit'),
});

/** Lets the processes act, as the kernel would have it. */
function history(
  steps: readonly { who: number; deed: string }[],
  spared: (actor: Actor) => boolean,
): Actor[] {
  const actors = new Map([first, ...strangers].map((actor) => [actor.pid, actor]));
  let pid = 200;
  for (const { who, deed } of steps) {
    const living = [...actors.values()].filter((actor) => actor.alive);
    const actor = living[who % living.length];
    if (actor === undefined) break;
    const change = (facts: Partial<Actor>) => actors.set(actor.pid, { ...actor, ...facts });
    if (deed === 'fork') {
      pid += 1;
      actors.set(pid, { ...actor, pid, parent: actor.pid, start_ticks: String(pid) });
    } else if (deed === 'setsid' && actor.group !== actor.pid) {
      change({ session: actor.pid, group: actor.pid });
    } else if (deed === 'setpgid' && actor.session !== actor.pid) {
      change({ group: actor.pid });
    } else if (deed === 'clear') {
      change({ mark: '' });
    } else if (deed === 'exit' && !spared(actor)) {
      change({ alive: false });
      for (const child of actors.values())
        if (child.parent === actor.pid) actors.set(child.pid, { ...child, parent: 1 });
    }
  }
  return [...actors.values()].filter((actor) => actor.alive);
}

const pids = (actors: readonly Relations[]) => actors.map(({ pid }) => pid).toSorted((a, b) => a - b);

test('a tree never holds a process that does not descend from its first one', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom('tree', 'unproved'), (steps, owner) => {
      const found = treeAmong(
        history(steps, () => false),
        target,
        owner as 'tree' | 'unproved',
      );
      assert.deepEqual(pids(found.filter((actor) => !actor.ours)), []);
    }),
  );
});

test('a tree whose processes all live is found whole, also what changed its session, group and environment', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const actors = history(steps, () => true);
      assert.deepEqual(pids(treeAmong(actors, target, 'tree')), pids(actors.filter((actor) => actor.ours)));
    }),
  );
});

test('all that kept its mark is found, whoever has ended', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom('tree', 'unproved'), (steps, owner) => {
      const actors = history(steps, () => false);
      const found = new Set(pids(treeAmong(actors, target, owner as 'tree' | 'unproved')));
      const marked = actors.filter((actor) => actor.mark === 'mine');
      assert.deepEqual(pids(marked.filter(({ pid }) => !found.has(pid))), []);
    }),
  );
});

test('all that is still in the group or session is found where these are known to be the tree’s', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const actors = history(steps, () => false);
      const found = new Set(pids(treeAmong(actors, target, 'tree')));
      const inside = actors.filter(({ group, session }) => group === 100 || session === 100);
      assert.deepEqual(pids(inside.filter(({ pid }) => !found.has(pid))), []);
    }),
  );
});

test('a group whose number is somebody else’s by now is not taken', () => {
  const another = { ...first, start_ticks: '500', mark: '', ours: false };
  const child = actorOf({ pid: 501, parent: 100, start_ticks: '501', group: 100, session: 100 });
  const daemon = actorOf({ pid: 400, parent: 1, start_ticks: '400', mark: 'mine', ours: true });
  const found = treeAmong([...strangers, another, child, daemon], target, 'somebody_else');
  assert.deepEqual(pids(found), [400]);
});

test('a mark that was copied before the tree began is no proof', () => {
  const older = actorOf({ pid: 70, parent: 1, start_ticks: '9', mark: 'mine' });
  assert.deepEqual(pids(treeAmong([first, older], target, 'tree')), [100]);
});

test('one marked process proves the group that it is still in', () => {
  const marked = actorOf({ pid: 301, parent: 1, start_ticks: '301', group: 100, session: 100, mark: 'mine' });
  const bare = actorOf({ pid: 302, parent: 1, start_ticks: '302', group: 100, session: 100 });
  assert.deepEqual(pids(treeAmong([marked, bare], target, 'unproved')), [301, 302]);
  assert.deepEqual(pids(treeAmong([bare], target, 'unproved')), []);
});
