import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DueAction, onDue } from '../../src/supervision/overlap.ts';

const free = { isRunning: false, isWaiting: false };
const busy = { isRunning: true, isWaiting: false };
const full = { isRunning: true, isWaiting: true };

test('each overlap policy says what becomes of a run that is due', () => {
  const actions = (overlap: 'skip' | 'queue' | 'replace'): DueAction[] =>
    [free, busy, full].map((standing) => onDue(overlap, standing));
  assert.deepEqual(actions('skip'), ['start', 'skip', 'skip']);
  assert.deepEqual(actions('queue'), ['start', 'wait', 'skip']);
  assert.deepEqual(actions('replace'), ['start', 'replace', 'supersede']);
});
