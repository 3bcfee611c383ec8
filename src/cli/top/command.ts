import { type Command, Option } from 'commander';
import { milliseconds } from '../../lib/units.ts';
import { durationArgument } from '../arguments.ts';
import type { Act, Run } from '../command.ts';
import { exitCode } from '../exit_codes.ts';
import { examples } from '../help.ts';
import { wholePicture } from './list_picture.ts';
import { TopLook } from './look.ts';
import { sorted, type TopOrder, topOrders } from './order.ts';
import { TopSession } from './session.ts';
import type { TopFrame } from './state.ts';

interface TopOptions {
  readonly sort: TopOrder;
  readonly interval: string;
  readonly once?: boolean;
}

/** The shortest time between two looks, in milliseconds. */
const leastInterval = 200;
/** What charts are asked for where a picture has no end. */
const mostCharts = 200;

export function addTop(program: Command, act: Act): void {
  program
    .command('top')
    .description('Watch services and act on them by keys, until q or Ctrl-C.')
    .addOption(new Option('--sort <by>', 'what comes first').choices(topOrders).default('cpu'))
    .option('-i, --interval <duration>', 'how long a picture stays', durationArgument, '2s')
    .option('--once', 'show one picture and end, as where nobody looks at a terminal')
    .addHelpText(
      'after',
      `${examples(['davit top', 'davit top --sort memory', 'davit top --once'])}

Keys: ↑ ↓ select a service, / filters, s sorts; Enter shows logs, d why it is
as it is; r restarts and x stops it (both ask), u starts it. ? shows them all.`,
    )
    .action(act(showTop));
}

async function showTop(run: Run, { sort, interval, once }: TopOptions): Promise<number> {
  const { terminal, json, signal } = run;
  const agent = run.agent();
  const look = new TopLook(agent);
  const first = await takeFrame(look, sort, terminal.rows);
  if (json) terminal.json({ stats: first.stats, history: Object.fromEntries(first.history) });
  else if (once || !terminal.canRedraw) terminal.print(wholePicture(first, sort, terminal).join('\n'));
  else {
    const rest = Math.max(leastInterval, milliseconds(interval));
    await new TopSession({ agent, terminal, look, first, order: sort, interval: rest }).run(signal);
  }
  return exitCode.ok;
}

async function takeFrame(look: TopLook, order: TopOrder, rows: number): Promise<TopFrame> {
  const stats = await look.stats();
  const shown = sorted(stats, order).slice(0, Math.min(mostCharts, rows));
  const history = await look.history(
    stats,
    shown.map(({ service }) => service),
  );
  return { stats, history, lost: null };
}
