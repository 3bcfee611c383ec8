import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type LogView,
  lastOf,
  mostLines,
  nextLevel,
  openedLogs,
  withNewer,
  withNewest,
  withOlder,
} from '../../../src/cli/top/log_view.ts';
import { logLinesFrom, logPage } from './states.ts';

const all = { grep: null, level: null };

function viewOf(from: number, to: number, change: Partial<LogView> = {}): LogView {
  return { ...withNewest(openedLogs('web'), all, logPage(from, to)), ...change };
}

function numbers({ lines }: LogView): [number, number] {
  return [Number(lines.at(0)?.cursor) - 1, Number(lines.at(-1)?.cursor) - 1];
}

test('logs that are followed keep the newest lines, and know where those before them are', () => {
  const view = withNewer(viewOf(10, 20), logLinesFrom(20, 20 + mostLines));
  assert.equal(view.lines.length, mostLines);
  assert.deepEqual(numbers(view), [20, 19 + mostLines]);
  assert.equal(view.before, '20');
  assert.equal(lastOf(view), view.first + mostLines - 1);
});

test('logs that are looked through keep what is there, and count what has no room', () => {
  const view = withNewer(viewOf(0, 10, { anchor: 5 }), logLinesFrom(10, 10 + mostLines));
  assert.deepEqual(numbers(view), [0, mostLines - 1]);
  assert.equal(view.missed, 10);
  assert.equal(view.anchor, 5);
  const later = withNewer(view, logLinesFrom(10 + mostLines, 12 + mostLines));
  assert.equal(later.missed, 12);
  assert.equal(later.lines.length, mostLines);
});

test('older lines come before the others, which keep their numbers', () => {
  const view = viewOf(500, 1_000, { anchor: 7, state: 'older' });
  const next = withOlder(view, logPage(0, 500));
  assert.deepEqual(numbers(next), [0, 999]);
  assert.equal(next.lines[7 - next.first]?.line, view.lines[7]?.line);
  assert.deepEqual([next.before, next.state, next.anchor], [null, 'live', 7]);
});

test('older lines take the room of the newest, which are counted', () => {
  const view = viewOf(500, 500 + mostLines, { anchor: 3, state: 'older' });
  const next = withOlder(view, logPage(100, 500));
  assert.deepEqual(numbers(next), [100, 99 + mostLines]);
  assert.deepEqual([next.missed, next.before], [400, '100']);
});

test('older lines that come when the newest are followed again are let go', () => {
  const view = viewOf(500, 1_000, { state: 'older' });
  const next = withOlder(view, logPage(0, 500));
  assert.equal(next.lines, view.lines);
  assert.deepEqual([next.state, next.before], ['live', '500']);
});

test('an agent that has no line more before a page is not asked for any', () => {
  assert.equal(viewOf(0, 10).before, null);
  assert.equal(viewOf(1, 10).before, '1');
});

test('however lines come, they stand in their order, without a gap, and their number is bounded', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('newer' as const), count: fc.integer({ min: 0, max: 3_000 }) }),
    fc.record({ kind: fc.constant('older' as const), count: fc.integer({ min: 1, max: 500 }) }),
    fc.record({ kind: fc.constant('pause' as const), count: fc.integer({ min: 0, max: 9 }) }),
    fc.record({ kind: fc.constant('follow' as const), count: fc.constant(0) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      let view = viewOf(10_000, 10_500);
      let end = 10_500;
      for (const { kind, count } of steps) {
        if (kind === 'newer') {
          view = withNewer(view, logLinesFrom(end, end + count));
          end += count;
        } else if (kind === 'older' && view.before !== null) {
          const before = Number(view.before);
          view = withOlder(view, logPage(Math.max(0, before - count), before));
        } else if (kind === 'pause') view = { ...view, anchor: lastOf(view) - count };
        else if (kind === 'follow' && view.missed === 0) view = { ...view, anchor: null };
        const [from, to] = numbers(view);
        assert.ok(view.lines.length <= mostLines);
        assert.equal(to - from + 1, view.lines.length);
        assert.equal(to + 1 + view.missed, end);
        assert.ok(view.before === null || Number(view.before) === from);
        assert.ok(view.anchor === null || view.anchor <= lastOf(view));
      }
    }),
    { numRuns: 50 },
  );
});

test('the least level goes through all that leave something out, and back to none', () => {
  const seen = [nextLevel(null)];
  while (seen.at(-1) !== null) seen.push(nextLevel(seen.at(-1) ?? null));
  assert.deepEqual(seen, ['debug', 'info', 'warn', 'error', 'fatal', null]);
});
