import type { Command } from 'commander';
import type { AuditList } from '../contract/answers.ts';
import { wholeNumber } from './arguments.ts';
import type { Act, Run } from './command.ts';
import { moment } from './format.ts';
import { examples } from './help.ts';
import { type Column, table } from './table.ts';

export function addAudit(program: Command, act: Act): void {
  program
    .command('audit')
    .description('Show who did what, from where, and how it ended; oldest first.')
    .option('-n, --lines <number>', 'how many, counted from the end (default: 100)', wholeNumber())
    .addHelpText('after', examples(['davit audit', 'davit audit -n 1000 --json']))
    .action(act(showAudit));
}

async function showAudit({ agent, terminal, json }: Run, { lines }: { lines?: number }): Promise<void> {
  const answer = await agent().get<AuditList>('/api/v1/audit', { limit: lines });
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
    record.actor ?? 'nobody',
  ]);
  terminal.print(table(columns, rows, terminal.columns));
}
