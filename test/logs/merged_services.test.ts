import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { LogLine } from '../../src/contract/logs.ts';
import type { MergedLine } from '../../src/contract/merged_logs.ts';
import type { Place } from '../../src/logs/cursor.ts';
import { MergedServices } from '../../src/logs/merged_services.ts';
import { ServiceLines } from '../../src/logs/service_lines.ts';

const epoch = Date.parse('2026-01-31T12:00:00Z');

function cursorAt(index: number): string {
  return `1.${index}.0`;
}

function indexOf(place: Place | null, end: number): number {
  return place === null ? end : (place[0]?.stdout ?? 0);
}

/** A service whose lines were seen at these times, given in pages of this size, of which every third brings nothing. */
function serviceOf(name: string, times: readonly number[], size: number, isForward: boolean): ServiceLines {
  const all = times.map(
    (time, n): LogLine => ({
      time: new Date(epoch + time).toISOString(),
      stream: 'stdout',
      line: `${n}`,
      level: null,
      release: 1,
      instance: 1,
      cursor: cursorAt(n + 1),
    }),
  );
  let pages = 0;
  return new ServiceLines(
    name,
    isForward ? [{ run: 1, stdout: 0, stderr: 0 }] : null,
    isForward,
    async (place) => {
      const at = indexOf(place, all.length);
      pages += 1;
      const count = pages % 3 === 0 ? 0 : size;
      const to = isForward ? Math.min(all.length, at + count) : Math.max(0, at - count);
      const lines = isForward ? all.slice(at, to) : all.slice(to, at);
      const truncated = isForward ? to < all.length : to > 0;
      return isForward
        ? { lines, truncated, before: cursorAt(at), after: cursorAt(to) }
        : { lines, truncated, before: cursorAt(to), after: cursorAt(at) };
    },
  );
}

async function take(merged: MergedServices, most: number): Promise<MergedLine[]> {
  const lines: MergedLine[] = [];
  while (lines.length < most) {
    const line = merged.next();
    if (line === null) break;
    if (line === undefined) await merged.fill();
    else lines.push(line);
  }
  return lines;
}

const services = fc.array(fc.array(fc.nat(30), { maxLength: 20 }), { maxLength: 6 });
const size = fc.integer({ min: 1, max: 7 });
const nameOf = (n: number) => `s${n}`;

for (const isForward of [true, false]) {
  const direction = isForward ? 'forwards' : 'backwards';

  test(`${direction}, lines whose clocks only rise come by time, and at one time by service`, () =>
    fc.assert(
      fc.asyncProperty(services, size, async (given, pageSize) => {
        const sorted = given.map((times) => times.toSorted((a, b) => a - b));
        const merged = new MergedServices(
          sorted.map((times, n) => serviceOf(nameOf(n), times, pageSize, isForward)),
          isForward,
        );
        const lines = await take(merged, Number.POSITIVE_INFINITY);
        const oldestFirst = isForward ? lines : lines.toReversed();
        const expected = sorted
          .flatMap((times, n) => times.map((time, k) => ({ time, n, k })))
          .sort((a, b) => a.time - b.time || a.n - b.n || a.k - b.k);
        assert.deepEqual(
          oldestFirst.map(({ service, line }) => [service, line]),
          expected.map(({ n, k }) => [nameOf(n), `${k}`]),
        );
      }),
    ));

  test(`${direction}, each service keeps its order whatever its clock did, and its cursor parts what was taken from the rest`, () =>
    fc.assert(
      fc.asyncProperty(services, size, fc.nat(60), async (given, pageSize, most) => {
        const all = given.map((times, n) => serviceOf(nameOf(n), times, pageSize, isForward));
        const lines = await take(new MergedServices(all, isForward), most);
        for (const [n, times] of given.entries()) {
          const taken = lines.filter(({ service }) => service === nameOf(n)).map(({ line }) => Number(line));
          const inOrder = isForward ? taken : taken.toReversed();
          const from = isForward ? 0 : times.length - taken.length;
          assert.deepEqual(
            inOrder,
            taken.map((_, k) => from + k),
          );
          const { cursor } = all[n] ?? {};
          if (cursor) assert.equal(cursor, cursorAt(isForward ? taken.length : from));
        }
      }),
    ));
}
