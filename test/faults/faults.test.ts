import { describe, test } from 'node:test';
import { allCases } from './cases.ts';
import { NotTried, titleOf } from './fault_case.ts';

/** Others are tried by hand: `npm run faults -- --seed N`. */
const seed = 919_111_393;
const cases = allCases({ seed, rounds: 20 }).filter(({ isQuick }) => isQuick);

describe('the short form of the faults test', { concurrency: 3 }, () => {
  for (const each of cases)
    test(titleOf(each), async (t) => {
      try {
        t.diagnostic(await each.run());
      } catch (error) {
        if (!(error instanceof NotTried)) throw error;
        t.skip(error.message);
      }
    });
});
