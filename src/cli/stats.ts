import type { Command } from 'commander';
import type { ServiceStats, Stats } from '../contract/stats.ts';
import { percent, rate, size } from './amounts.ts';
import type { Act, Run } from './command.ts';
import { moment, since, sizeText, stateText } from './format.ts';
import { examples } from './help.ts';
import { type Column, table } from './table.ts';
import type { Terminal } from './terminal.ts';
import { safeText } from './text.ts';

interface StatsOptions {
  readonly usage?: boolean;
}

export function addStats(program: Command, act: Act): void {
  program
    .command('stats')
    .description('Show how everything stands, in numbers: host, agent and services.')
    .option('--usage', 'show also what each instance uses')
    .addHelpText('after', examples(['davit stats', 'davit stats --usage', 'davit stats --json']))
    .action(act(showStats));
}

async function showStats({ agent, terminal, json }: Run, { usage }: StatsOptions): Promise<void> {
  const answer = await agent().get<Stats>('/api/v1/stats', { usage: usage ? 'true' : undefined });
  if (json) return terminal.json(answer);
  terminal.print(summary(answer, terminal));
  if (answer.services.length > 0) terminal.print(`\n${serviceTable(answer.services, terminal)}`);
  if (usage && answer.services.some(({ usage: instances }) => instances.length > 0))
    terminal.print(`\n${usageTable(answer.services, terminal)}`);
}

/** A line each for the host, the agent, the services, and what goes through the routers. */
function summary(stats: Stats, terminal: Terminal): string {
  const { host, totals, at, interval_seconds } = stats;
  const lines: readonly [name: string, parts: readonly string[]][] = [
    ['host', host === null ? [] : hostParts(host)],
    ['agent', agentParts(stats.agent)],
    ['services', serviceParts(totals)],
    [
      'traffic',
      [`requests ${totals.requests}`, `errors ${totals.errors}`, `connections ${totals.connections}`],
    ],
    ['measured', [moment(at), `every ${interval_seconds}s`]],
  ];
  return lines.flatMap(([name, parts]) => inLines(name, parts, terminal.columns)).join('\n');
}

function agentParts(agent: Stats['agent']): string[] {
  return [
    `davit ${agent.version} on ${agent.hostname}`,
    `CPU ${percent(agent.cpu_cores)}`,
    `memory ${sizeText(agent.resident_bytes)}`,
    `lag ${Math.round(agent.event_loop_lag_seconds * 1_000)}ms`,
    `up ${since(agent.started_at)}`,
  ];
}

/** What is worth a look only when there is some is left out where there is none. */
function serviceParts(totals: Stats['totals']): string[] {
  const some = (name: string, count: number) => (count > 0 ? [`${name} ${count}`] : []);
  return [
    String(totals.services),
    `running ${totals.services_running}`,
    ...some('failed', totals.services_failed),
    `instances ${totals.instances}`,
    `ready ${totals.instances_ready}`,
    ...some('restarts', totals.restarts),
    ...some('alerts firing', totals.alerts_firing),
  ];
}

function hostParts(host: NonNullable<Stats['host']>): string[] {
  return [
    `CPU ${percent(host.cpu_ratio)} of ${host.processors}`,
    `load ${host.load.map((each) => each.toFixed(2)).join(' ')}`,
    `memory ${sizeText(host.memory_bytes - host.memory_available_bytes)} of ${sizeText(host.memory_bytes)}`,
    `disk ${sizeText(host.disk_bytes - host.disk_free_bytes)} of ${sizeText(host.disk_bytes)}`,
    `up ${since(host.booted_at)}`,
  ];
}

/** A name and parts of what it is, with commas between them, on as many lines as they need; none without parts. */
function inLines(name: string, parts: readonly string[], width: number): string[] {
  const lines: string[] = [];
  let line = `${name}:`.padEnd(nameWidth);
  for (const [index, part] of parts.map(safeText).entries()) {
    const text = index < parts.length - 1 ? `${part},` : part;
    const isFirst = line.endsWith(' ');
    if (!isFirst && line.length + 1 + text.length > width) {
      lines.push(line);
      line = ' '.repeat(nameWidth) + text;
    } else line += isFirst ? text : ` ${text}`;
  }
  return parts.length === 0 ? [] : [...lines, line];
}

const nameWidth = 'measured:  '.length;

function serviceTable(services: readonly ServiceStats[], terminal: Terminal): string {
  const columns: Column[] = [
    { title: 'SERVICE', isFlexible: true },
    { title: 'STATE', paint: (state) => stateText(terminal, state) },
    { title: 'READY', dropAt: 7 },
    { title: 'CPU' },
    { title: 'MEMORY' },
    { title: 'OPEN', dropAt: 3 },
    { title: 'REQ/S', dropAt: 5 },
    { title: 'ERRORS', dropAt: 4 },
    { title: 'RESTARTS', dropAt: 6 },
    { title: 'ALERTS', dropAt: 1 },
    { title: 'UPTIME', dropAt: 2 },
  ];
  const rows = services.map((each) => [
    each.service,
    each.state,
    `${each.instances.ready}/${each.instances.wanted}`,
    percent(each.cpu_cores),
    size(each.resident_bytes),
    String(each.open_connections),
    rate(each.requests_per_second),
    percent(each.error_ratio),
    String(each.restarts),
    String(each.alerts_firing),
    each.started_at === null ? '-' : since(each.started_at),
  ]);
  return table(columns, rows, terminal.columns);
}

function usageTable(services: readonly ServiceStats[], terminal: Terminal): string {
  const columns: Column[] = [
    { title: 'SERVICE', isFlexible: true },
    { title: 'INSTANCE' },
    { title: 'RELEASE', dropAt: 1 },
    { title: 'CPU' },
    { title: 'CPU TIME', dropAt: 4 },
    { title: 'MEMORY' },
    { title: 'PROCESSES', dropAt: 3 },
    { title: 'THREADS', dropAt: 2 },
    { title: 'OPEN FILES', dropAt: 5 },
  ];
  const rows = services.flatMap(({ service, usage }) =>
    usage.map((each) => [
      service,
      String(each.instance),
      each.release === null ? '-' : String(each.release),
      percent(each.cpu_cores),
      `${each.cpu_seconds.toFixed(1)}s`,
      sizeText(each.resident_bytes),
      String(each.processes),
      String(each.threads),
      String(each.open_files),
    ]),
  );
  return table(columns, rows, terminal.columns);
}
