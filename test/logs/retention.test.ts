import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { chooseOfHost, chooseOfService, hostQuota, waterLevel } from '../../src/logs/retention.ts';

const none = { max_bytes: 1e12, max_age_ms: null, max_releases: null };
const now = 1_000_000;

function run(
  number: number,
  bytes: number,
  more: { release?: number; isLive?: boolean; endedAt?: number } = {},
) {
  const { release = number, isLive = false, endedAt = number } = more;
  return { name: { run: number, release }, bytes, isLive, endedAt };
}

function named(steps: ReturnType<typeof chooseOfService>) {
  return steps.map(
    (step) => `${step.kind} ${step.run.name.run}${step.kind === 'cut' ? ` to ${step.keep}` : ''}`,
  );
}

test('as long as there is room nothing goes', () => {
  assert.deepEqual(
    chooseOfService([run(1, 500), run(2, 500, { isLive: true })], { ...none, max_bytes: 1000 }, now),
    [],
  );
});

test('the oldest that ended go first, the one at the edge by its beginning, what lives last', () => {
  const runs = [run(1, 400), run(2, 400), run(3, 400, { isLive: true }), run(4, 400)];
  assert.deepEqual(named(chooseOfService(runs, { ...none, max_bytes: 1000 }, now)), [
    'remove 1',
    'remove 2',
    'cut 4 to 350',
  ]);
  assert.deepEqual(named(chooseOfService(runs, { ...none, max_bytes: 300 }, now)), [
    'remove 1',
    'remove 2',
    'remove 4',
    'cut 3 to 225',
  ]);
});

test('what ended too long ago goes, and what lives stays however old', () => {
  const runs = [
    run(1, 1, { endedAt: 10 }),
    run(2, 1, { endedAt: 0, isLive: true }),
    run(3, 1, { endedAt: now - 5 }),
  ];
  assert.deepEqual(named(chooseOfService(runs, { ...none, max_age_ms: 1000 }, now)), ['remove 1']);
});

test('releases count from the one that was started last, so that a rollback brings an old one back', () => {
  const runs = [
    run(1, 1, { release: 1 }),
    run(2, 1, { release: 2 }),
    run(3, 1, { release: 3 }),
    run(4, 1, { release: 1 }),
  ];
  assert.deepEqual(named(chooseOfService(runs, { ...none, max_releases: 2 }, now)), ['remove 2']);
  assert.deepEqual(named(chooseOfService(runs, { ...none, max_releases: 1 }, now)), ['remove 2', 'remove 3']);
});

test('of very many runs the oldest go however little they wrote', () => {
  const runs = Array.from({ length: 203 }, (_, n) => run(n + 1, 0, { isLive: n === 0 }));
  assert.deepEqual(named(chooseOfService(runs, none, now)), ['remove 2', 'remove 3']);
});

test('on the host the oldest go first, whose ever they are, and the beginning of the greatest that live', () => {
  const runs = [
    run(9, 100, { endedAt: 1 }),
    run(1, 100, { endedAt: 2 }),
    run(5, 900, { isLive: true }),
    run(6, 50, { isLive: true }),
  ];
  assert.deepEqual(named(chooseOfHost(runs, 1100)), ['remove 9', 'remove 1', 'cut 5 to 775']);
  assert.deepEqual(named(chooseOfHost(runs, 1120)), ['remove 9', 'remove 1', 'cut 5 to 790']);
  assert.deepEqual(named(chooseOfHost(runs, 500)), ['remove 9', 'remove 1', 'cut 5 to 325']);
});

test('whatever there is, enough goes, nothing lives less than it must, and no more goes than is needed', () => {
  const holding = fc.record({ bytes: fc.nat(1e6), isLive: fc.boolean(), endedAt: fc.nat(1e6) });
  fc.assert(
    fc.property(fc.array(holding, { maxLength: 30 }), fc.integer({ min: 1, max: 5e6 }), (list, limit) => {
      const runs = list.map((facts, n) => ({ name: { run: n + 1, release: 1 }, ...facts }));
      const steps = chooseOfHost(runs, limit);
      const left = new Map(runs.map((one) => [one, one.bytes]));
      for (const step of steps) {
        assert.ok(step.kind === 'cut' || !step.run.isLive);
        if (step.kind === 'cut') assert.ok(step.keep >= 0 && step.keep <= step.run.bytes);
        left.set(step.run, step.kind === 'cut' ? step.keep : 0);
      }
      const total = runs.reduce((sum, { bytes }) => sum + bytes, 0);
      const after = [...left.values()].reduce((sum, bytes) => sum + bytes, 0);
      if (total <= limit) assert.deepEqual(steps, []);
      else assert.ok(Math.abs(after - limit * 0.75) < 1e-3, `${after} of ${limit}`);
    }),
  );
});

test('the level to which all are held fills what is allowed, and the small ones keep all', () => {
  assert.equal(waterLevel([10, 20, 100], 60), 30);
  assert.equal(waterLevel([10, 20], 30), Number.POSITIVE_INFINITY);
  assert.equal(waterLevel([], 30), Number.POSITIVE_INFINITY);
  assert.equal(waterLevel([5, 5], 0), 0);
});

test('the quota of a host is what is set, or a part of the disk', () => {
  assert.equal(hostQuota('5MB', '/'), 5e6);
  const ownChoice = hostQuota(null, '/');
  assert.ok(ownChoice > 0 && ownChoice <= 20e9);
  assert.equal(hostQuota(null, '/there/is/no/such/folder'), 20e9);
});
