import { type Command, Option } from 'commander';
import type { Alert, AlertInFull, AlertList } from '../contract/alerts.ts';
import { alertArgument, alertCursorArgument, serviceArgument, wholeNumber } from './arguments.ts';
import type { Act, Run } from './command.ts';
import { moment, since } from './format.ts';
import { examples } from './help.ts';
import { type Column, facts, table } from './table.ts';
import type { Terminal } from './terminal.ts';
import { logText, safeText } from './text.ts';

const path = '/api/v1/alerts';

interface ListOptions {
  readonly all?: boolean;
  readonly before?: string;
  readonly service?: string;
  readonly limit?: number;
}

export function addAlerts(program: Command, act: Act): void {
  program
    .command('alerts')
    .description('List what fires and what is about to.')
    .option('--all', 'also what is over')
    .addOption(
      new Option('--before <cursor>', 'only what was over before a cursor')
        .conflicts('all')
        .argParser(alertCursorArgument),
    )
    .option('--service <service>', 'only of that service', serviceArgument)
    .option('--limit <number>', 'how many of each at most (default: 100)', wholeNumber())
    .addHelpText(
      'after',
      examples([
        'davit alerts',
        'davit alerts --all --service web',
        'davit alerts --before 1767225600000.k3f9x2m7q4wz',
        'davit alerts --json',
      ]),
    )
    .action(act(listAlerts));
}

export function addShowAlert(alert: Command, act: Act): void {
  alert
    .command('show')
    .description('Show one with what led to it and the last lines of its service.')
    .argument('<alert>', 'its id, as listed', alertArgument)
    .addHelpText('after', examples(['davit alert show k3f9x2m7q1wz']))
    .action(act(showAlert));
}

async function listAlerts({ agent, terminal, json }: Run, options: ListOptions): Promise<void> {
  const { alerts, next } = await findAlerts(agent(), options);
  if (json) return terminal.json({ alerts, next });
  if (next !== null) terminal.note(`davit: there are more that are over, before these: --before ${next}`);
  if (alerts.length === 0) return terminal.print(nothingText(options));
  const columns: Column[] = [
    { title: 'ID', dropAt: 2 },
    { title: 'STATE', paint: (state) => stateStyle(terminal, state) },
    { title: 'SEVERITY', paint: (severity) => severityStyle(terminal, severity) },
    { title: 'RULE', dropAt: 3 },
    { title: 'SINCE', dropAt: 4 },
    { title: 'TOLD', dropAt: 1 },
    { title: 'SUMMARY', isFlexible: true },
  ];
  const rows = alerts.map((alert) => [
    alert.id,
    alert.state,
    alert.severity,
    alert.rule,
    since(alert.started_at),
    toldText(alert),
    alert.summary,
  ]);
  terminal.print(table(columns, rows, terminal.columns));
}

async function findAlerts(
  agent: ReturnType<Run['agent']>,
  { all, service, limit, before }: ListOptions,
): Promise<AlertList> {
  const history = () => agent.get<AlertList>(path, { state: 'resolved', service, limit, before });
  if (before !== undefined) return history();
  const { alerts } = await agent.get<AlertList>(path, { service, limit });
  if (!all) return { alerts, next: null };
  const over = await history();
  return { alerts: [...alerts, ...over.alerts], next: over.next ?? null };
}

function nothingText({ all, before }: ListOptions): string {
  if (before !== undefined) return 'Nothing older is kept.';
  return all ? 'There is no alert, and was none.' : 'Nothing fires.';
}

async function showAlert({ agent, terminal, json }: Run, _options: object, id: string): Promise<void> {
  const alert = await agent().get<AlertInFull>(`${path}/${id}`);
  if (json) return terminal.json(alert);
  const time = (value: string | null) => (value === null ? undefined : moment(value));
  terminal.print(safeText(alert.summary));
  terminal.print('');
  terminal.print(
    facts([
      ['alert', alert.id],
      ['state', alert.state],
      ['severity', alert.severity],
      ['rule', alert.rule],
      ['service', alert.service ?? undefined],
      ['instance', alert.instance?.toString()],
      ['subject', alert.subject ?? undefined],
      ['value', alert.value?.toString()],
      ['since', moment(alert.started_at)],
      ['fires since', time(alert.fired_at)],
      ['over since', time(alert.resolved_at)],
      ['told', toldText(alert)],
      ['trace', alert.trace_id ?? undefined],
    ]),
  );
  const why = alert.why.map((sentence, index) => `  ${index === 0 ? '' : '← '}${safeText(sentence)}`);
  if (why.length > 0) terminal.print(['', 'What led to it, newest first:', ...why].join('\n'));
  const lines = alert.last_lines.map((line) => `  ${logText(line, false)}`);
  if (lines.length > 0) terminal.print(['', 'The last lines of the service then:', ...lines].join('\n'));
}

/** Whether and when somebody was told, or why not. */
function toldText({ state, silenced_by, inhibited_by, notified_at }: Alert): string {
  if (state !== 'resolved' && silenced_by !== null) return `silenced (${silenced_by})`;
  if (state !== 'resolved' && inhibited_by !== null) return `explained by ${inhibited_by}`;
  return notified_at === null ? 'no' : `${since(notified_at)} ago`;
}

function stateStyle(terminal: Terminal, state: string): string {
  if (state === 'firing') return terminal.style('red', state);
  return terminal.style(state === 'pending' ? 'yellow' : 'green', state);
}

function severityStyle(terminal: Terminal, severity: string): string {
  if (severity === 'critical') return terminal.style('red', severity);
  return severity === 'warning' ? terminal.style('yellow', severity) : severity;
}
