import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { randomNumbers } from '../helpers/random_request.ts';
import { type OddCase, OddRequests } from './odd_requests.ts';
import { type Seen, Side } from './side.ts';

/**
 * The fast path is right where nobody can tell that it is there. So the same bytes go to a router with it and to one without,
 * and the instances behind both must see the same requests, and the clients the same answers. What may differ:
 *
 * - the order of header lines, and of the answer also Date, Connection, Keep-Alive and how the body is framed;
 * - `Connection` and the letters of `host` in what an instance gets: undici writes its own;
 * - where a request is followed by bytes that are no request, the full path may refuse these before the answer to the request
 *   has come, and then nobody gets that: it reads ahead, and the fast path does not. The requests are tried alone then.
 */
const cases = Number(process.env['DAVIT_DIFFERENTIAL_CASES'] ?? 2_000);
const seed = Number(process.env['DAVIT_DIFFERENTIAL_SEED'] ?? 1);
/** How many cases are under way at a time. */
const lanes = 20;

/** Where the plain requests at the beginning of a text end; what is plain is said in another way here than in the fast path. */
function plainEnds(text: string): number[] {
  const request =
    /(?:GET|HEAD) \/\S* HTTP\/1\.1\r\n(?:(?!content-length:|transfer-encoding:|expect:|upgrade:|te:|trailer:)[\w-]+: [!-~](?:[ -~]*[!-~])?\r\n)+\r\n/iy;
  const ends = [0];
  while (request.test(text)) ends.push(request.lastIndex);
  return ends;
}

/** Whether one list is the beginning of the other, whichever is longer. */
function isBeginning(one: readonly string[], other: readonly string[]): boolean {
  return one.every((each, index) => index >= other.length || each === other[index]);
}

/**
 * Whether what differs is only how far the full path came with what is not plain: it reads ahead, so that depends on how the
 * bytes are cut. Each request that the fast path has served it must serve alike when nothing follows.
 */
async function isExcused(
  { text }: OddCase,
  handed: string | null,
  fast: Seen,
  full: Seen,
  side: Side,
): Promise<boolean> {
  const ends = plainEnds(text);
  const served =
    handed === null ? fast.requests.length : ends.findIndex((end) => text.startsWith(handed, end));
  const isRefused = /^4\d\d\n|…$/.test(full.answers.at(-1) ?? '…');
  if (served === -1 || served >= ends.length || (handed === null && !isRefused)) return false;
  if (!isBeginning(withoutLast(full.answers), withoutLast(fast.answers))) return false;
  if (!isBeginning(full.requests, fast.requests)) return false;
  const alone: { requests: string[]; answers: string[] } = { requests: [], answers: [] };
  for (let index = 0; index < served; index++) {
    const request = text.slice(ends[index], ends[index + 1]).replace(/^Connection: .*\r\n/gim, '');
    const seen = await side.try({ pieces: [`${request.slice(0, -2)}Connection: close\r\n\r\n`] });
    alone.requests.push(...seen.requests);
    alone.answers.push(...seen.answers);
  }
  return (
    isDeepStrictEqual(alone.requests, fast.requests.slice(0, served)) &&
    isBeginning(alone.answers, fast.answers)
  );
}

function withoutLast(answers: readonly string[]): readonly string[] {
  return answers.slice(0, -1);
}

/** Whether what the full path got begins where plain requests end, and lacks nothing. */
function isHandedWhole({ text }: OddCase, handed: string | null): boolean {
  return handed === null || plainEnds(text).some((end) => text.startsWith(handed, end));
}

test(`${cases} odd connections are served alike by both paths`, { timeout: 600_000 }, async (t) => {
  const odd = new OddRequests(randomNumbers(seed));
  const tally = { cases: 0, requests: 0, handed: 0, read_ahead: 0 };
  const differences: unknown[] = [];
  const runLane = async () => {
    const [fast, full] = await Promise.all([Side.start(true), Side.start(false)]);
    try {
      while (tally.cases < cases && differences.length < 8) {
        const number = ++tally.cases;
        const each = odd.next();
        const [one, other] = await Promise.all([fast.try(each), full.try(each)]);
        tally.requests += one.requests.length;
        const isAlike = isDeepStrictEqual(one, other);
        const { handed } = fast;
        const mayDiffer = !isAlike && (await isExcused(each, handed, one, other, full));
        if (mayDiffer) tally.read_ahead += 1;
        if (handed !== null) tally.handed += 1;
        if ((isAlike || mayDiffer) && isHandedWhole(each, handed) && fast.open === 0) continue;
        differences.push({ number, ...each, fast: one, full: other, handed, open: fast.open });
      }
    } finally {
      await Promise.all([fast.close(), full.close()]);
    }
  };
  await Promise.all(Array.from({ length: lanes }, runLane));
  assert.deepEqual(differences, [], `with seed ${seed}`);
  t.diagnostic(JSON.stringify(tally));
  // It would prove little if nearly everything went to the full path, or nearly nothing did.
  assert.ok(tally.handed > cases / 4 && tally.handed < cases * 0.9 && tally.read_ahead < cases / 4);
});
