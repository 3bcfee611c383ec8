import { type Command, Option } from 'commander';
import type { SeriesUnit } from '../contract/series.ts';
import {
  aggregates,
  type MetricsAnswer,
  type SeriesCatalogue,
  type SeriesPoints,
} from '../contract/stats.ts';
import { amount } from './amounts.ts';
import { durationArgument, momentArgument } from './arguments.ts';
import type { Act, Run } from './command.ts';
import { age, moment } from './format.ts';
import { examples } from './help.ts';
import { sparkline } from './sparkline.ts';
import { type Column, table } from './table.ts';
import type { Terminal } from './terminal.ts';
import { safeText } from './text.ts';

interface QueryOptions {
  readonly from?: string;
  readonly to?: string;
  readonly step?: string;
  readonly agg?: string;
  readonly values?: boolean;
}

/** How many signs a chart has at most, and at least. */
const longestChart = 100;
const shortestChart = 8;

/** metrics: what series were over a time. */
export function addMetrics(program: Command, act: Act): void {
  const metrics = program.command('metrics').description('Show what was measured over a time.');
  metrics
    .command('query')
    .description('Show what series were, as small charts or value by value.')
    .argument('<series...>', 'such as host.cpu or service.memory:web; service.cpu:* is of every service')
    .option(
      '--from <moment>',
      'from then on: 2h ago, or a time such as "2026-01-31 12:00" (default: 1h)',
      momentArgument,
    )
    .option('--to <moment>', 'until then, in the same forms (default: now)', momentArgument)
    .option(
      '--step <duration>',
      'how far values are apart (default: such that there are 300 at most)',
      durationArgument,
    )
    .addOption(
      new Option('--agg <how>', 'how values within a step become one (default: avg)').choices(aggregates),
    )
    .option('--values', 'print every value in place of a chart')
    .addHelpText(
      'after',
      examples([
        'davit metrics query host.cpu host.memory',
        'davit metrics query service.latency:web --from 7d --agg max',
        "davit metrics query 'service.memory:*' --from 2h --step 5m --values",
      ]),
    )
    .action(act(queryMetrics));
  metrics
    .command('series')
    .description('List the series that there are.')
    .addHelpText('after', examples(['davit metrics series']))
    .action(act(listSeries));
}

async function queryMetrics(
  { agent, terminal, json }: Run,
  { values, ...options }: QueryOptions,
  series: readonly string[],
): Promise<void> {
  const answer = await agent().get<MetricsAnswer>('/api/v1/metrics/query', {
    series: series.join(','),
    ...options,
  });
  if (json) return terminal.json(answer);
  if (answer.series.length === 0) return terminal.print('Nothing is known of such series.');
  terminal.print(values ? valuesTable(answer, terminal) : charts(answer, terminal));
}

async function listSeries({ agent, terminal, json }: Run): Promise<void> {
  const answer = await agent().get<SeriesCatalogue>('/api/v1/metrics/series');
  if (json) return terminal.json(answer);
  const columns: Column[] = [
    { title: 'SERIES' },
    { title: 'UNIT', dropAt: 1 },
    { title: 'WHAT', isFlexible: true },
  ];
  const rows = answer.series.map(({ name, unit, description }) => [
    name.startsWith('service.') ? `${name}:SERVICE` : name,
    unit,
    description,
  ]);
  terminal.print(table(columns, rows, terminal.columns));
}

/** A line for each series, under what time that is. */
function charts({ from, to, step_seconds, agg, series }: MetricsAnswer, terminal: Terminal): string {
  const cells = series.map((each) => [safeText(each.series), ...extremes(each)]);
  const widths = [0, 1, 2, 3].map((at) =>
    Math.max(titles[at]?.length ?? 0, ...cells.map((row) => row[at]?.length ?? 0)),
  );
  const taken = widths.reduce((sum, width) => sum + width + 2, 0);
  const most = Math.min(longestChart, Math.max(...series.map(({ points }) => points.length)));
  const width = Math.max(shortestChart, Math.min(most, terminal.columns - taken));
  const line = (row: readonly string[], chart: string) =>
    [
      ...row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))),
      chart,
    ]
      .join('  ')
      .trimEnd();
  const what = `${moment(from)} to ${moment(to)}, ${agg} of ${age(step_seconds * 1_000)}`;
  const rows = series.map(({ points }, index) =>
    line(
      cells[index] ?? [],
      sparkline(
        points.map(([, value]) => value),
        width,
      ),
    ),
  );
  return [terminal.style('dim', what), line(titles, ''), ...rows].join('\n');
}

const titles = ['SERIES', 'LAST', 'LEAST', 'GREATEST'];

function extremes({ points, unit }: SeriesPoints): string[] {
  const known = points.flatMap(([, value]) => value ?? []);
  if (known.length === 0) return ['-', '-', '-'];
  const values = [known.at(-1) ?? null, Math.min(...known), Math.max(...known)];
  return values.map((value) => amount(value, unit as SeriesUnit));
}

function valuesTable({ series }: MetricsAnswer, terminal: Terminal): string {
  const times = series[0]?.points.map(([at]) => at) ?? [];
  const columns: Column[] = [{ title: 'TIME' }, ...series.map((each) => ({ title: safeText(each.series) }))];
  const rows = times.map((at, index) => [
    moment(new Date(at).toISOString()),
    ...series.map(({ points, unit }) => amount(points[index]?.[1] ?? null, unit as SeriesUnit)),
  ]);
  return table(columns, rows, terminal.columns);
}
