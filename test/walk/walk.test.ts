import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { walk } from './walk.ts';

describe('whatever comes by chance, services are what they must be', { concurrency: 2 }, () => {
  for (const seed of [26, 30])
    test(`in a walk from seed ${seed}`, async (t) => {
      const { operations, failure } = await walk({ seed, length: 150 });
      assert.equal(failure, null, failure ?? '');
      assert.ok(operations > 0, 'nothing was done');
      t.diagnostic(`${operations} operations`);
    });
});
