import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { jsonLines } from '../../src/forwarding/json_lines.ts';
import type { Outgoing } from '../../src/forwarding/outgoing.ts';
import { NotNow, Refused } from '../../src/forwarding/receiver.ts';
import { sendAround } from '../../src/forwarding/refused_lines.ts';
import { line, outgoing } from './sample_lines.ts';

/** Numbered lines for a receiver that refuses each request that holds one of the bad ones. */
async function sendTo(count: number, isBad: (number: number) => boolean, givesUp = false) {
  const { render } = jsonLines('shop-1', {});
  const lines = outgoing(
    render,
    Array.from({ length: count }, (_, n) => line(String(n), n + 1)),
  );
  const numberOf = ({ text }: Outgoing) => Number(JSON.parse(text).message);
  const [taken, dropped]: [number[], number[]] = [[], []];
  let requests = 0;
  const outcome = await sendAround(lines, {
    send: async (piece) => {
      requests += 1;
      if (piece.map(numberOf).some(isBad)) throw new Refused('it answered 400', false);
      taken.push(...piece.map(numberOf));
    },
    onDropped: (each) => dropped.push(numberOf(each)),
    givesUp,
  }).then(
    () => 'sent',
    (error) => error,
  );
  return { outcome, taken, dropped, requests };
}

test('exactly the lines that are refused are left out, and the others keep their order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 60 }),
      fc.uniqueArray(fc.nat({ max: 59 }), { maxLength: 6 }),
      async (count, bad) => {
        const wrong = new Set(bad.filter((number) => number < count));
        if (wrong.size === count) return;
        const { outcome, taken, dropped } = await sendTo(count, (number) => wrong.has(number));
        const all = Array.from({ length: count }, (_, n) => n);
        assert.equal(outcome, 'sent');
        assert.deepEqual(
          taken,
          all.filter((number) => !wrong.has(number)),
        );
        assert.deepEqual(
          dropped,
          [...wrong].sort((one, other) => one - other),
        );
      },
    ),
  );
});

test('a receiver that refuses everything loses nothing', async () => {
  for (const count of [1, 7, 5_000]) {
    const { outcome, dropped, requests } = await sendTo(count, () => true);
    assert.ok(outcome instanceof NotNow);
    assert.deepEqual(dropped, []);
    assert.ok(requests <= 100, String(requests));
  }
});

test('what was refused for too long is dropped, so that the rest can go on', async () => {
  const { outcome, dropped, requests } = await sendTo(5_000, () => true, true);
  assert.equal(outcome, 'sent');
  assert.equal(dropped.length, 5_000);
  assert.ok(requests <= 100, String(requests));
});

test('another failure ends the try', async () => {
  const failure = new NotNow('it answered 503', null);
  const { render } = jsonLines('shop-1', {});
  const sending = sendAround(outgoing(render, [line('x', 2)]), {
    send: () => Promise.reject(failure),
    onDropped: () => assert.fail('nothing is dropped'),
    givesUp: false,
  });
  await assert.rejects(sending, failure);
});
