import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { keptArchives } from '../../src/artifacts/retention.ts';

const release = (number: number, sha256: string | null, outcome = 'succeeded') => ({
  release: number,
  outcome,
  sha256,
});

test('what is in use stays, and beside it the last ones that ran well, each archive counted once', () => {
  const kept = keptArchives({
    releases: [
      release(6, 'c'),
      release(5, 'bad', 'failed'),
      release(4, 'b'),
      release(3, 'b'),
      release(2, 'a'),
      release(1, 'z'),
    ],
    inUse: new Set([6, 1]),
    uploads: ['new', 'bad', 'c', 'b', 'a', 'z'],
    count: 1,
  });
  assert.deepEqual([...kept].sort(), ['b', 'c', 'new', 'z']);
});

test('whatever there is, nothing goes that is in use, and only so much stays that is not', () => {
  const sha256 = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', null);
  const outcome = fc.constantFrom('succeeded', 'failed', 'pending');
  const releases = fc
    .array(fc.record({ sha256, outcome }), { maxLength: 12 })
    .map((all) => all.map((each, index) => ({ ...each, release: all.length - index })));
  const uploads = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'));
  const inUse = fc.array(fc.integer({ min: 1, max: 12 })).map((all) => new Set(all));
  fc.assert(
    fc.property(releases, uploads, inUse, fc.integer({ min: 1, max: 3 }), (all, present, used, count) => {
      const kept = keptArchives({ releases: all, inUse: used, uploads: present, count });
      const needed = new Set(
        all.filter((each) => used.has(each.release)).flatMap((each) => each.sha256 ?? []),
      );
      for (const each of needed) assert.ok(kept.has(each));
      assert.ok(kept.size <= needed.size + 2 * count);
    }),
  );
});
