import { type Command, Option } from 'commander';
import { type AuditList, type AuditRecord, auditOutcomes } from '../contract/audit.ts';
import { listOption, momentArgument, serviceArgument, wholeNumber } from './arguments.ts';
import type { AgentClient } from './client.ts';
import type { Act, Run } from './command.ts';
import { moment } from './format.ts';
import { examples } from './help.ts';
import { type Column, table } from './table.ts';

interface AuditOptions {
  readonly actor?: string;
  readonly action?: readonly string[];
  readonly service?: string;
  readonly outcome?: string;
  readonly since?: string;
  readonly until?: string;
  readonly lines?: number;
}

/** How many records are shown when nobody says, and how many one answer holds at most. */
const defaultLines = 100;
const mostAtOnce = 1_000;

export function addAudit(program: Command, act: Act): void {
  program
    .command('audit')
    .description('Show who did what, from where, and how it ended; oldest first.')
    .option('-n, --lines <number>', 'how many, counted from the end (default: 100)', wholeNumber())
    .option('--actor <actor>', 'only of this one, such as key:4f8k2m9x1a or the id of a key')
    .addOption(listOption('--action <operations>', 'only these, such as deployService,rollbackService'))
    .option('--service <service>', 'only what concerned one service', serviceArgument)
    .addOption(new Option('--outcome <outcome>', 'only what ended like this').choices(auditOutcomes))
    .option('--since <moment>', 'not earlier than 15m ago, or than a time', momentArgument)
    .option('--until <moment>', 'not later', momentArgument)
    .addHelpText(
      'after',
      examples([
        'davit audit',
        'davit audit --outcome refused --since 1d',
        'davit audit --service web --action deployService,rollbackService',
        'davit audit -n 1000 --json',
      ]),
    )
    .action(act(showAudit));
}

async function showAudit({ agent, terminal, json }: Run, options: AuditOptions): Promise<void> {
  const answer = await read(agent(), options);
  if (json) return terminal.json(answer);
  const columns: Column[] = [
    { title: 'TIME' },
    { title: 'ACTION' },
    { title: 'SERVICE' },
    { title: 'STATUS', paint: (status) => (status.startsWith('2') ? status : terminal.style('red', status)) },
    { title: 'ADDRESS', dropAt: 1 },
    { title: 'ACTOR', isFlexible: true },
  ];
  const rows = answer.records.map((record) => [
    moment(record.time),
    record.action,
    record.service ?? '-',
    `${record.http_status}${record.code === null ? '' : ` ${record.code}`}`,
    record.address,
    actorText(record),
  ]);
  terminal.print(table(columns, rows, terminal.columns));
}

/** Page by page, until there are so many as are wanted or nothing older is kept. */
async function read(client: AgentClient, options: AuditOptions): Promise<AuditList> {
  const { lines = defaultLines, actor, action, service, outcome, since, until } = options;
  const filter = { actor, action: action?.join(','), service, outcome, since, until };
  const records: AuditRecord[] = [];
  let next: string | null = null;
  do {
    const limit = Math.min(lines - records.length, mostAtOnce);
    const answer: AuditList = await client.get('/api/v1/audit', {
      ...filter,
      limit,
      before: next ?? undefined,
    });
    records.unshift(...answer.records);
    // Agents of earlier versions give one page.
    next = answer.next ?? null;
  } while (next !== null && records.length < lines);
  return { records, next };
}

/** Agents of earlier versions do not tell the name. */
function actorText({ actor, actor_name }: Pick<AuditRecord, 'actor'> & Partial<AuditRecord>): string {
  if (actor === null) return 'nobody';
  return actor_name && !actor.endsWith(`#${actor_name}`) ? `${actor_name} (${actor})` : actor;
}
