import type { Command } from 'commander';
import { latencyBounds, type TrafficCounts } from '../contract/connections.ts';
import type { ServiceTraffic, TrafficAnswer } from '../contract/traffic.ts';
import { serviceArgument, servicePath } from './arguments.ts';
import type { Act, Run } from './command.ts';
import { sizeText } from './format.ts';
import { examples } from './help.ts';
import { type Column, table } from './table.ts';

export function addTraffic(program: Command, act: Act): void {
  program
    .command('traffic')
    .description('Show what went through the router, by service, or by instance of one service.')
    .argument('[service]', 'the service', serviceArgument)
    .addHelpText('after', examples(['davit traffic', 'davit traffic web', 'davit traffic web --json']))
    .action(act(showTraffic));
}

async function showTraffic(
  { agent, terminal, json }: Run,
  _options: object,
  service?: string,
): Promise<void> {
  if (service !== undefined) {
    const answer = await agent().get<ServiceTraffic>(servicePath(service, '/traffic'));
    if (json) return terminal.json(answer);
    const rows = answer.instances.map((each) =>
      row(`${each.instance} (r${each.release})${each.ejected ? ' ejected' : ''}`, each),
    );
    const columns = columnsOf('INSTANCE');
    return terminal.print(table(columns, [...rows, row('total', answer.total)], terminal.columns));
  }
  const answer = await agent().get<TrafficAnswer>('/api/v1/traffic');
  if (json) return terminal.json(answer);
  if (answer.services.length === 0) return terminal.print('Nothing went through the router yet.');
  const rows = answer.services.map((each) => row(each.service, each.total));
  terminal.print(table(columnsOf('SERVICE'), [...rows, row('total', answer.total)], terminal.columns));
}

function columnsOf(first: string): Column[] {
  return [
    { title: first },
    { title: 'OPEN', dropAt: 6 },
    { title: 'WEBSOCKETS', dropAt: 5 },
    { title: 'REQUESTS' },
    { title: '4XX', dropAt: 4 },
    { title: '5XX', dropAt: 8 },
    { title: 'FAILED', dropAt: 7 },
    { title: 'RETRIES', dropAt: 1 },
    { title: 'P50', dropAt: 2 },
    { title: 'P99', dropAt: 3 },
    { title: 'IN', dropAt: 2 },
    { title: 'OUT', dropAt: 2 },
  ];
}

function row(name: string, counts: TrafficCounts): string[] {
  return [
    name,
    String(counts.open_requests),
    String(counts.open_websockets),
    String(counts.requests),
    String(counts.by_status[3] ?? 0),
    String(counts.by_status[4] ?? 0),
    String(counts.failures),
    String(counts.retries),
    latencyText(counts.latency, 0.5),
    latencyText(counts.latency, 0.99),
    sizeText(counts.bytes_in),
    sizeText(counts.bytes_out),
  ];
}

/** The bound within which that share of the answers began: `≤ 5ms`. */
function latencyText(histogram: readonly number[], share: number): string {
  const total = histogram.reduce((sum, count) => sum + count, 0);
  if (total === 0) return '-';
  let seen = 0;
  const index = histogram.findIndex((count) => {
    seen += count;
    return seen >= total * share;
  });
  const bound = latencyBounds[index];
  const longest = latencyBounds[latencyBounds.length - 1] ?? 0;
  if (bound === undefined) return `>${longest / 1_000}s`;
  return bound < 1_000 ? `≤${bound}ms` : `≤${bound / 1_000}s`;
}
