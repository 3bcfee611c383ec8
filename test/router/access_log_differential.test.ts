import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { randomNumbers } from '../helpers/random_request.ts';
import { until } from '../helpers/system.ts';
import { everything, lasting } from './access_lines.ts';
import { OddRequests } from './odd_requests.ts';
import { Side } from './side.ts';

const cases = Number(process.env['DAVIT_DIFFERENTIAL_CASES'] ?? 300);
const seed = Number(process.env['DAVIT_DIFFERENTIAL_SEED'] ?? 1);

const unread = /not well-formed HTTP/;

/** What both paths must write alike. In their order only the requests of one connection that are answered by turns need to be. */
function shown({ lines }: Side): string[] {
  return lines.map((line) => JSON.stringify(lasting(line))).toSorted();
}

test(`of ${cases} odd connections that are served alike, both paths write the same lines`, async (t) => {
  const odd = new OddRequests(randomNumbers(seed));
  const [fast, full] = await Promise.all([Side.start(true, everything), Side.start(false, everything)]);
  const tally = { alike: 0, lines: 0 };
  try {
    for (let number = 1; number <= cases; number += 1) {
      const each = odd.next();
      const [one, other] = await Promise.all([fast.try(each), full.try(each)]);
      // How far the full path reads ahead, and so how much it knows of what it cannot read, depends on how the bytes are cut.
      if (!isDeepStrictEqual(one, other) || one.answers.some((answer) => unread.test(answer))) continue;
      await until(`both write the same of case ${number}: ${each.text}`, () =>
        isDeepStrictEqual(shown(fast), shown(full)),
      );
      tally.alike += 1;
      tally.lines += fast.lines.length;
    }
  } finally {
    await Promise.all([fast.close(), full.close()]);
  }
  t.diagnostic(JSON.stringify(tally));
  assert.ok(tally.alike > cases / 4 && tally.lines > tally.alike);
});
