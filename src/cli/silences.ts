import type { Command } from 'commander';
import type { Silence, SilenceList } from '../contract/alerts.ts';
import { durationArgument, serviceGlobArgument, silenceArgument } from './arguments.ts';
import type { Act, Run } from './command.ts';
import { moment, until } from './format.ts';
import { examples } from './help.ts';
import { type Column, table } from './table.ts';
import { safeText } from './text.ts';

const path = '/api/v1/silences';

interface SilenceOptions {
  readonly rule?: string;
  readonly service?: string;
  readonly for: string;
  readonly comment?: string;
}

export function addSilences(alert: Command, act: Act): void {
  alert
    .command('silence')
    .description('Have nobody told of alerts that fit, until it ends. They are found all the same.')
    .option('--rule <pattern>', 'of that rule; * stands for any characters (default: of each)')
    .option(
      '--service <pattern>',
      'of that service; * stands for any characters (default: of all, and of the host and the agent)',
      serviceGlobArgument,
    )
    .requiredOption('--for <duration>', 'how long', durationArgument)
    .option('--comment <text>', 'why, for others')
    .addHelpText(
      'after',
      examples([
        'davit alert silence --service web --for 2h --comment "new disks"',
        'davit alert silence --rule disk_low --for 1d',
      ]),
    )
    .action(act(silence));
  alert
    .command('silences')
    .description('List what is silenced, and until when.')
    .addHelpText('after', examples(['davit alert silences']))
    .action(act(listSilences));
  alert
    .command('unsilence')
    .description('End a silence. What still fires is told then.')
    .argument('<silence>', 'its id, as listed', silenceArgument)
    .addHelpText('after', examples(['davit alert unsilence 7d2kq0c4mz8a']))
    .action(act(unsilence));
}

async function silence(
  { agent, terminal, json }: Run,
  { rule, service, for: duration, comment }: SilenceOptions,
): Promise<void> {
  const body = { rule, service, duration, comment };
  const made = await agent().post<Silence>(path, body);
  if (json) terminal.json(made);
  else terminal.print(safeText(`Silence ${made.id}: ${meantText(made)}, until ${moment(made.ends_at)}`));
}

async function listSilences({ agent, terminal, json }: Run): Promise<void> {
  const answer = await agent().get<SilenceList>(path);
  if (json) return terminal.json(answer);
  if (answer.silences.length === 0) return terminal.print('Nothing is silenced.');
  const columns: Column[] = [
    { title: 'ID' },
    { title: 'ENDS IN' },
    { title: 'RULE' },
    { title: 'SERVICE' },
    { title: 'BY', dropAt: 1 },
    { title: 'COMMENT', isFlexible: true },
  ];
  const rows = answer.silences.map(({ id, ends_at, rule, service, created_by, comment }) => [
    id,
    until(ends_at),
    rule,
    service ?? 'any',
    created_by,
    comment,
  ]);
  terminal.print(table(columns, rows, terminal.columns));
}

async function unsilence({ agent, terminal, json }: Run, _options: object, id: string): Promise<void> {
  const ended = await agent().delete<Silence>(`${path}/${id}`);
  if (json) terminal.json(ended);
  else terminal.print(safeText(`Silence ${ended.id} has ended: ${meantText(ended)}`));
}

function meantText({ rule, service }: Silence): string {
  const rules = rule === '*' ? 'every rule' : `rule ${rule}`;
  return `${rules}, ${service === null ? 'whatever it concerns' : `service ${service}`}`;
}
