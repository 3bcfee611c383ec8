import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LogWindow } from '../../src/console/pages/logs/log_window.ts';
import type { MergedLine } from '../../src/contract/merged_logs.ts';

/** Line number `n` of a log that has no end in either direction; its cursor is `n`. */
function line(n: number): MergedLine {
  const time = new Date(n).toISOString();
  const rest = { service: 'web', stream: 'stdout', level: null, release: 1, instance: 1 } as const;
  return { ...rest, time, line: String(n), cursor: String(n) };
}

/** The lines from one to before another. */
function piece(from: number, to: number) {
  const lines = Array.from({ length: to - from }, (_, index) => line(from + index));
  return { lines, before: String(from), after: String(to) };
}

function numbers(window: LogWindow): number[] {
  return window.slice(window.firstId, window.endId).map((entry) => Number(entry.line?.line));
}

test('a window slides over a log in both directions, and always knows the places before and after it', () => {
  const step = fc.record({
    kind: fc.constantFrom('append', 'prepend', 'dropOldest', 'dropNewest', 'measure'),
    lines: fc.integer({ min: 0, max: 900 }),
    height: fc.integer({ min: 1, max: 90 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const window = new LogWindow(2_000);
      let [from, to] = [0, 0];
      window.append(piece(0, 0));
      for (const { kind, lines, height } of steps) {
        if (kind === 'append') window.append(piece(to, to + lines));
        if (kind === 'prepend') window.prepend(piece(from - lines, from));
        if (kind === 'append') to += lines;
        if (kind === 'prepend') from -= lines;
        if (kind === 'dropOldest' && window.dropOldest()) from = Number(window.before);
        if (kind === 'dropNewest' && window.dropNewest()) to = Number(window.after);
        if (kind === 'measure') window.measure(window.firstId + (lines % (window.length + 1)), height);
        assert.equal(window.before, String(from));
        assert.equal(window.after, String(to));
        assert.deepEqual(
          numbers(window),
          piece(from, to).lines.map((one) => Number(one.line)),
        );
      }
      const entries = window.slice(window.firstId, window.endId);
      const tops = entries.map(({ id }) => window.topOf(id));
      let top = 0;
      for (const [index, entry] of entries.entries()) {
        assert.equal(entry.id, window.firstId + index);
        assert.equal(window.at(entry.id), entry);
        assert.equal(tops[index], top);
        if (index % 97 === 0) assert.equal(window.entryAt(top)?.entry, entry);
        top += entry.height;
      }
      assert.equal(window.height, top);
    }),
    { numRuns: 60 },
  );
});

test('a window drops what is too much at the other end, and no more than whole chunks', () => {
  const window = new LogWindow(5_000);
  window.append(piece(0, 0));
  for (let from = 0; from < 100_000; from += 100) {
    window.append(piece(from, from + 100));
    window.dropOldest();
    assert.ok(window.length <= 5_000);
  }
  assert.equal(window.length, 5_000);
  assert.equal(numbers(window)[0], 95_000);
  window.prepend(piece(94_000, 95_000));
  assert.equal(window.dropNewest(), true);
  assert.deepEqual([numbers(window)[0], numbers(window).at(-1)], [94_000, 98_999]);
  assert.equal(window.after, '99000');
});

test('lines that are put before others leave the ids of these as they are', () => {
  const window = new LogWindow();
  window.append(piece(0, 10));
  const entry = window.find((one) => one.line?.line === '5');
  const top = window.topOf(entry?.id ?? 0);
  window.prepend(piece(-7, 0));
  assert.equal(window.at(entry?.id ?? 0), entry);
  assert.equal(window.topOf(entry?.id ?? 0), top + 7 * 20);
});

test('what was measured counts until rows look different', () => {
  const window = new LogWindow();
  window.append(piece(0, 3));
  assert.equal(window.measure(1, 60), true);
  assert.equal(window.measure(1, 60), false);
  assert.deepEqual([window.topOf(2), window.height], [80, 100]);
  window.estimateBy(() => 30);
  assert.deepEqual([window.topOf(2), window.height], [60, 90]);
  window.append(piece(3, 4));
  assert.equal(window.height, 120);
});

test('what is missing stands where it is missing', () => {
  const window = new LogWindow();
  window.append(piece(0, 1));
  window.append({ ...piece(5, 6), skipped: [{ service: 'web', bytes: 400, cursor: '5' }] });
  const kinds = window.slice(0, 3).map(({ line: one, skipped }) => one?.line ?? skipped?.bytes);
  assert.deepEqual(kinds, ['0', 400, '5']);
});

test('an empty window has no rows, and the place of one that was emptied by a page without lines', () => {
  const window = new LogWindow();
  assert.deepEqual([window.before, window.after, window.height, window.entryAt(0)], [null, null, 0, null]);
  window.append(piece(7, 7));
  assert.deepEqual([window.before, window.after, window.length], ['7', '7', 0]);
  assert.deepEqual(window.slice(0, 10), []);
});
