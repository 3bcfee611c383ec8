import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import { DavitError } from '../lib/errors.ts';
import { milliseconds } from '../lib/units.ts';
import { durationArgument } from './arguments.ts';
import type { Act, Run } from './command.ts';
import { exitCode } from './exit_codes.ts';
import { examples } from './help.ts';
import { Screen } from './screen.ts';
import { TopLook } from './top_look.ts';
import { render, sorted, type TopFrame, type TopOrder, topOrders } from './top_picture.ts';

interface TopOptions {
  readonly sort: TopOrder;
  readonly interval: string;
  readonly once?: boolean;
}

/** The shortest time between two pictures, in milliseconds. */
const leastInterval = 200;
/** How long an answer may take before it is said that there is none, in milliseconds. */
const patience = 3_000;
/** What charts are asked for where a picture has no end. */
const mostCharts = 200;

export function addTop(program: Command, act: Act): void {
  program
    .command('top')
    .description('Show how everything stands, again and again, until q or Ctrl-C.')
    .addOption(new Option('--sort <by>', 'what comes first').choices(topOrders).default('cpu'))
    .option('-i, --interval <duration>', 'how long a picture stays', durationArgument, '2s')
    .option('--once', 'show one picture and end, as where nobody looks at a terminal')
    .addHelpText('after', examples(['davit top', 'davit top --sort memory', 'davit top --once']))
    .action(act(showTop));
}

async function showTop(run: Run, options: TopOptions): Promise<number> {
  const { terminal, json } = run;
  const look = new TopLook(run.agent());
  const first = await takeFrame(look, options, terminal.rows);
  if (json) terminal.json({ stats: first.stats, history: Object.fromEntries(first.history) });
  else if (options.once || !terminal.canRedraw) terminal.print(picture(run, first, false).join('\n'));
  else await goOn(run, look, { first, options });
  return exitCode.ok;
}

/** Shows pictures until somebody ends it. An agent that is gone is said to be, and comes back by itself. */
async function goOn(
  run: Run,
  look: TopLook,
  { first, options }: { readonly first: TopFrame; readonly options: TopOptions },
): Promise<void> {
  const { terminal, signal } = run;
  let frame = first;
  using screen = new Screen(terminal, () => picture(run, frame, true));
  const show = (next: TopFrame) => {
    frame = next;
    screen.draw();
  };
  const ended = AbortSignal.any([signal, screen.quit]);
  const end = once(ended, 'abort');
  const interval = Math.max(leastInterval, milliseconds(options.interval));
  show(first);
  while (!ended.aborted) {
    await terminal.drained(ended).catch(() => {});
    await delay(interval, undefined, { signal: ended }).catch(() => {});
    if (ended.aborted) break;
    const slow = setTimeout(() => show({ ...frame, lost: 'the agent does not answer' }), patience);
    const next = takeFrame(look, options, terminal.rows)
      .catch((error) => lost(frame, error))
      .finally(() => clearTimeout(slow));
    await Promise.race([next.then(show), end]);
  }
  signal.throwIfAborted();
}

async function takeFrame(look: TopLook, { sort }: TopOptions, rows: number): Promise<TopFrame> {
  const stats = await look.stats();
  const shown = sorted(stats, sort).slice(0, Math.min(mostCharts, rows));
  const history = await look.history(
    stats,
    shown.map(({ service }) => service),
  );
  return { stats, history, order: sort, lost: null };
}

/** What was seen last, if it may only be asked again. Throws what does not pass by itself. */
function lost(frame: TopFrame, error: unknown): TopFrame {
  const passing = [
    'agent_unreachable',
    'shutting_down',
    'too_many_requests',
    'internal',
    'storage_unavailable',
  ];
  if (!(error instanceof DavitError) || !passing.includes(error.code)) throw error;
  return { ...frame, lost: error.message };
}

function picture({ terminal }: Run, frame: TopFrame, isCut: boolean): string[] {
  const { columns, rows } = terminal;
  return render(frame, { columns, rows: isCut ? rows : Number.POSITIVE_INFINITY }, (style, text) =>
    terminal.style(style, text),
  );
}
