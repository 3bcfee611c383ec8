import { parseArgs } from 'node:util';
import { allCases } from './cases.ts';
import { type FaultCase, NotTried, titleOf } from './fault_case.ts';

const usage = `npm run faults -- [options]

Does to an agent what a host can do to it, at every step, and prints what held.

Options:
  --quick          the short form, as CI runs it
  --only <text>    only cases in whose title ("<fault>: <step>") this stands
  --seed <number>  for the random sequences; default: a new one, which is printed
  --rounds <n>     how many steps a random sequence has; default: 300, or 40 in the short form
  --at-once <n>    how many cases run at the same time; default: 3
`;

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    seed: { type: 'string' },
    rounds: { type: 'string' },
    'at-once': { type: 'string', default: '3' },
    help: { type: 'boolean', default: false },
  },
});

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

interface Result {
  readonly title: string;
  readonly verdict: 'held' | 'not held' | 'not tried';
  readonly note: string;
}

async function tryCase(faultCase: FaultCase): Promise<Result> {
  const title = titleOf(faultCase);
  try {
    return { title, verdict: 'held', note: await faultCase.run() };
  } catch (error) {
    const note = error instanceof Error ? error.message : String(error);
    return { title, verdict: error instanceof NotTried ? 'not tried' : 'not held', note };
  }
}

/** Takes one after another from the list, beside others who do the same. */
async function work(queue: FaultCase[], results: Result[]): Promise<void> {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const began = performance.now();
    const result = await tryCase(next);
    results.push(result);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    const [first = '', ...rest] = result.note.split('\n');
    say(`${result.verdict.padEnd(9)} ${seconds.padStart(6)} s  ${result.title}${first && `  (${first})`}`);
    for (const line of rest) say(`${' '.repeat(21)}${line}`);
  }
}

if (options.help) say(usage);
else {
  const seed = Number(options.seed ?? Math.floor(Math.random() * 1e9));
  const rounds = Number(options.rounds ?? (options.quick ? 40 : 300));
  const chosen = allCases({ seed, rounds }).filter(
    (each) => (each.isQuick || !options.quick) && titleOf(each).includes(options.only),
  );
  say(`${chosen.length} cases, seed ${seed}`);
  const results: Result[] = [];
  await Promise.all(Array.from({ length: Number(options['at-once']) }, () => work(chosen, results)));
  const count = (verdict: Result['verdict']) => results.filter((each) => each.verdict === verdict).length;
  const failed = results.filter(({ verdict }) => verdict === 'not held');
  for (const { title, note } of failed) say(`\nNot held: ${title}\n${note}`);
  say(`\n${count('held')} held, ${failed.length} did not, ${count('not tried')} not tried; seed ${seed}`);
  if (failed.length > 0 || results.length === 0) process.exitCode = 1;
}
