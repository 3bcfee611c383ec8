import type { Command } from 'commander';
import type { DeletedNotifier, NotifierList, ShownNotifier, TestedNotifier } from '../contract/notifiers.ts';
import { DavitError } from '../lib/errors.ts';
import { alertNameArgument } from './arguments.ts';
import type { Act, Run } from './command.ts';
import { readFields } from './fields_file.ts';
import { since } from './format.ts';
import { examples } from './help.ts';
import { type Column, table } from './table.ts';
import { safeText } from './text.ts';

const fieldsOfNotifier = 'the fields of a notifier: name, type and where it leads';
const path = '/api/v1/notifiers';

/** Who is told of alerts. */
export function addNotifiers(alert: Command, act: Act): void {
  alert
    .command('notifiers')
    .description('List who is told of alerts, what waits for them, and what went wrong last.')
    .addHelpText('after', examples(['davit alert notifiers', 'davit alert notifiers --json']))
    .action(act(listNotifiers));
  alert
    .command('test')
    .description('Send one notification to a notifier at once, and say what became of it.')
    .argument('<notifier>', 'its name', alertNameArgument)
    .addHelpText('after', examples(['davit alert test ops']))
    .action(act(testNotifier));
  const notifier = alert.command('notifier').description('Make and delete notifiers of the API.');
  notifier
    .command('add')
    .description('Make one, which is told from then on.')
    .argument('<file>', 'YAML or JSON with all of it, its secret too; - reads standard input')
    .option(
      '--replace',
      'put it in the place of the one that there is; its secrets are gone but those that `keep` in the file names',
    )
    .addHelpText(
      'after',
      examples(['davit alert notifier add ops.yaml', 'davit alert notifier add - < ops.yaml']),
    )
    .action(act(addNotifier));
  notifier
    .command('remove')
    .description('Delete one, with what waits for it.')
    .argument('<notifier>', 'its name', alertNameArgument)
    .addHelpText('after', examples(['davit alert notifier remove ops']))
    .action(act(removeNotifier));
}

async function listNotifiers({ agent, terminal, json }: Run): Promise<void> {
  const answer = await agent().get<NotifierList>(path);
  if (json) return terminal.json(answer);
  if (answer.notifiers.length === 0)
    return terminal.print('There are no notifiers: nobody is told of alerts.');
  const columns: Column[] = [
    { title: 'NOTIFIER' },
    { title: 'TYPE' },
    { title: 'FORMAT', dropAt: 1 },
    { title: 'ORIGIN', dropAt: 1 },
    { title: 'TARGET', dropAt: 3 },
    { title: 'WAITING', paint: (text) => (text === '0' ? text : terminal.style('yellow', text)) },
    { title: 'DELIVERED', dropAt: 2 },
    { title: 'LAST ERROR', isFlexible: true },
  ];
  const rows = answer.notifiers.map((notifier) => [
    notifier.name,
    notifier.type,
    notifier.webhook?.format ?? '-',
    notifier.origin,
    notifier.target,
    String(notifier.waiting),
    notifier.last_delivered_at === null ? '-' : since(notifier.last_delivered_at),
    notifier.last_error ?? '-',
  ]);
  terminal.print(table(columns, rows, terminal.columns));
}

async function testNotifier({ agent, terminal, json }: Run, _options: object, name: string): Promise<void> {
  const answer = await agent().post<TestedNotifier>(`${path}/${name}/test`);
  if (json) return terminal.json(answer);
  terminal.print(safeText(`Delivered to ${answer.notifier} in ${answer.duration_ms} ms: ${answer.outcome}`));
  if (answer.answer !== '') terminal.print(terminal.style('dim', safeText(answer.answer)));
}

async function addNotifier(
  { agent, terminal, json }: Run,
  { replace = false }: { readonly replace?: boolean },
  file: string,
): Promise<void> {
  const body = await readFields(file, terminal, fieldsOfNotifier);
  const made = replace
    ? await replaceNotifier(agent(), body, file)
    : await agent().post<ShownNotifier>(path, body);
  if (json) return terminal.json(made);
  const verb = replace ? 'changed' : 'made';
  terminal.print(safeText(`Notifier ${made.name} was ${verb}: ${made.type} to ${made.target}`));
}

function replaceNotifier(
  agent: ReturnType<Run['agent']>,
  { name, ...rest }: { readonly name?: unknown },
  file: string,
): Promise<ShownNotifier> {
  if (typeof name !== 'string') throw new DavitError('usage', `${file} must say the name of the notifier`);
  return agent.put<ShownNotifier>(`${path}/${alertNameArgument(name)}`, rest);
}

async function removeNotifier({ agent, terminal, json }: Run, _options: object, name: string): Promise<void> {
  const answer = await agent().delete<DeletedNotifier>(`${path}/${name}`);
  if (json) terminal.json(answer);
  else terminal.print(`Notifier ${safeText(answer.deleted.name)} was deleted`);
}
