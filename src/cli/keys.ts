import { type Command, Option } from 'commander';
import type { ApiKey, ApiKeyList, CreatedApiKey } from '../contract/keys.ts';
import { scopes } from '../contract/scalars.ts';
import { durationArgument, keyArgument, serviceGlobs } from './arguments.ts';
import type { Act, Run } from './command.ts';
import { moment } from './format.ts';
import { examples } from './help.ts';
import { type Column, table } from './table.ts';
import { safeText } from './text.ts';

interface CreateOptions {
  readonly scope: string;
  readonly service?: string[];
  readonly expiresIn?: string;
}

export function addKeys(program: Command, act: Act): void {
  const key = program.command('key').description('Make, list and revoke API keys.');
  key
    .command('create')
    .description('Make an API key. It is shown this once, alone on standard output.')
    .argument('<name>', 'who or what will use it')
    .addOption(
      new Option('--scope <scope>', 'what it may do; each scope includes those before it')
        .choices(scopes)
        .default('read'),
    )
    .option(
      '--service <pattern>',
      'only with this service; * stands for any characters; repeatable',
      serviceGlobs,
    )
    .option('--expires-in <duration>', 'how long it is good (default: for ever)', durationArgument)
    .addHelpText(
      'after',
      examples([
        'davit key create pipeline --scope deploy --service "web-*" --expires-in 90d',
        'davit key create dashboard > dashboard.key',
      ]),
    )
    .action(act(createKey));
  key
    .command('list')
    .description('List the API keys, without their secrets.')
    .addHelpText('after', examples(['davit key list']))
    .action(act(listKeys));
  key
    .command('revoke')
    .description('Revoke an API key. Its open streams end at once.')
    .argument('<key-id>', 'its id, as listed', keyArgument)
    .addHelpText('after', examples(['davit key revoke k3f9']))
    .action(act(revokeKey));
}

async function createKey(
  run: Run,
  { scope, service, expiresIn }: CreateOptions,
  name: string,
): Promise<void> {
  const { agent, terminal, json } = run;
  const body = { name, scopes: [scope], services: service ?? null, expires_in: expiresIn ?? null };
  const created = await agent().post<CreatedApiKey>('/api/v1/keys', body);
  if (json) return terminal.json(created);
  const where = created.services === null ? 'every service' : created.services.join(', ');
  const until = created.expires_at === null ? '' : `, until ${moment(created.expires_at)}`;
  terminal.note(
    safeText(`key ${created.id} (${created.name}): ${created.scopes.join(', ')} on ${where}${until}`),
  );
  terminal.note('Keep it now; it is never shown again:');
  terminal.print(safeText(created.key));
}

async function listKeys({ agent, terminal, json }: Run): Promise<void> {
  const answer = await agent().get<ApiKeyList>('/api/v1/keys');
  if (json) return terminal.json(answer);
  const columns: Column[] = [
    { title: 'ID' },
    { title: 'STATE', paint: (state) => (state === 'good' ? state : terminal.style('red', state)) },
    { title: 'SCOPES' },
    { title: 'LAST USED', dropAt: 3 },
    { title: 'CREATED', dropAt: 1 },
    { title: 'SERVICES', dropAt: 2 },
    { title: 'NAME', isFlexible: true },
  ];
  const rows = answer.keys.map((key) => [
    key.id,
    stateOf(key),
    key.scopes.join(','),
    key.last_used_at === null ? 'never' : moment(key.last_used_at),
    moment(key.created_at),
    key.services?.join(',') ?? 'all',
    key.name,
  ]);
  terminal.print(table(columns, rows, terminal.columns));
}

async function revokeKey({ agent, terminal, json }: Run, _options: object, id: string): Promise<void> {
  const key = await agent().delete<ApiKey>(`/api/v1/keys/${id}`);
  if (json) terminal.json(key);
  else terminal.print(safeText(`key ${key.id} (${key.name}) is revoked`));
}

function stateOf({ revoked_at, expires_at }: ApiKey): string {
  if (revoked_at !== null) return 'revoked';
  return expires_at !== null && Date.parse(expires_at) <= Date.now() ? 'expired' : 'good';
}
