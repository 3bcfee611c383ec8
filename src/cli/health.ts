import { type Command, Option } from 'commander';
import { type PresentHealth, type ProbeRun, probeKind, type ServiceHealth } from '../contract/health.ts';
import { milliseconds } from '../lib/units.ts';
import { momentArgument, serviceArgument, servicePath, wholeNumber } from './arguments.ts';
import type { Act, Run } from './command.ts';
import { moment, since as timeSince } from './format.ts';
import { type Cell, cells, type Span } from './health_strip.ts';
import { examples } from './help.ts';
import { type Column, table } from './table.ts';
import type { Terminal } from './terminal.ts';
import { safeText } from './text.ts';

interface HealthOptions {
  readonly instance?: number;
  readonly kind?: string;
  readonly since?: string;
  readonly until?: string;
  readonly lines?: number;
}

/** How far back is shown when nobody says. */
const usualSpan = '1h';
/** As many entries as the agent gives, for a strip of so many signs. */
const mostEntries = 5_000;
const stripLength = 60;
/** How many failures are listed when nobody says. */
const usualFailures = 5;

const signs: Readonly<Record<Cell, string>> = { well: '█', partly: '▄', failed: '▁', nothing: '·' };
const colours = { well: 'green', partly: 'yellow', failed: 'red', nothing: 'dim' } as const;
const verdictColours = { healthy: 'green', unhealthy: 'red', unknown: 'yellow' } as const;

export function addHealth(program: Command, act: Act): void {
  program
    .command('health')
    .description('Show what the probes of a service say, and what they said.')
    .argument('<service>', 'the service', serviceArgument)
    .option('--instance <number>', 'only of this instance', wholeNumber())
    .addOption(new Option('--kind <kind>', 'only probes of one kind').choices(probeKind.options))
    .option(
      '--since <moment>',
      `from then on: 15m ago, or a time such as "2026-01-31 12:00" (default: ${usualSpan})`,
      momentArgument,
    )
    .option('--until <moment>', 'until then, in the same forms', momentArgument)
    .option('-n, --lines <number>', `how many failures (default: ${usualFailures})`, wholeNumber(0))
    .addHelpText(
      'after',
      examples([
        'davit health web',
        'davit health web --since 24h --lines 50',
        'davit health web --since "2026-01-31 02:50" --until "2026-01-31 03:10"',
      ]),
    )
    .action(act(showHealth));
}

async function showHealth(run: Run, options: HealthOptions, service: string): Promise<void> {
  const { agent, terminal, json } = run;
  const { instance, kind, since = usualSpan, until, lines = usualFailures } = options;
  const query = { instance, kind, since, until, limit: mostEntries };
  const answer = await agent().get<ServiceHealth>(servicePath(service, '/health'), query);
  if (json) return terminal.json(answer);
  const { present, history } = answer;
  if (present.length === 0 && history.length === 0) {
    terminal.print(`No probe of ${safeText(service)} was made in this time.`);
    return;
  }
  if (present.length > 0) terminal.print(presentText(present, terminal));
  const span = { from: timeOf(since), to: until === undefined ? Date.now() : timeOf(until) };
  if (history.length > 0) terminal.print(`\n${stripsText(history, span, terminal)}`);
  const failures = history.filter(({ success }) => !success).slice(lines === 0 ? history.length : -lines);
  if (failures.length > 0)
    terminal.print(`\n${failures.map((each) => failureText(each, terminal)).join('\n')}`);
}

function presentText(present: readonly PresentHealth[], terminal: Terminal): string {
  const columns: Column[] = [
    { title: 'INSTANCE' },
    { title: 'PROBE' },
    { title: 'VERDICT', paint: (cell) => terminal.style(colourOf(cell.trim()), cell) },
    { title: 'SINCE', dropAt: 2 },
    { title: 'TOOK', dropAt: 1 },
    { title: 'LAST', isFlexible: true },
  ];
  const rows = present.map(({ instance, kind, verdict, since, last }) => [
    String(instance),
    kind,
    verdict,
    `${timeSince(since)} ago`,
    last === null ? '-' : `${last.duration_ms}ms`,
    last?.message ?? 'not probed yet',
  ]);
  return table(columns, rows, terminal.columns);
}

function colourOf(verdict: string): 'green' | 'red' | 'yellow' {
  return verdictColours[verdict as PresentHealth['verdict']] ?? 'yellow';
}

/** One line for each probe of each instance: a sign for each part of the time, the oldest first. */
function stripsText(history: readonly ProbeRun[], span: Span, terminal: Terminal): string {
  const groups = Map.groupBy(history, ({ instance, kind }) => `${instance} ${kind}`);
  const names = [...groups.keys()].sort(new Intl.Collator('en', { numeric: true }).compare);
  const longest = Math.max(...names.map(({ length }) => length));
  const lines = names.map((name) => {
    const strip = cells(groups.get(name) ?? [], span, stripLength);
    const painted = strip.map((cell) => terminal.style(colours[cell], signs[cell])).join('');
    return `${name.padEnd(longest)}  ${painted}`;
  });
  const from = moment(new Date(span.from).toISOString());
  const to = moment(new Date(span.to).toISOString());
  const { well, partly, failed, nothing } = signs;
  const legend = `${from} to ${to}: ${well} well, ${partly} partly, ${failed} failed, ${nothing} no probe`;
  return [terminal.style('dim', legend), ...lines].join('\n');
}

function failureText({ instance, kind, first_at, count, message }: ProbeRun, terminal: Terminal): string {
  const times = count === 1 ? '' : ` (${count} times)`;
  const when = terminal.style('dim', safeText(moment(first_at)));
  return `${when} ${instance} ${kind}${times}: ${safeText(message)}`;
}

function timeOf(text: string): number {
  return /^\d{4}-/.test(text) ? Date.parse(text) : Date.now() - milliseconds(text);
}
