import { type Command, Option } from 'commander';
import type { Connection } from '../contract/connections.ts';
import type { ClosedConnections, ConnectionList } from '../contract/traffic.ts';
import { DavitError } from '../lib/errors.ts';
import { connectionArguments, serviceArgument, wholeNumber } from './arguments.ts';
import type { Act, Run } from './command.ts';
import { follow } from './event_stream.ts';
import { since, sizeText } from './format.ts';
import { examples } from './help.ts';
import { type Column, table } from './table.ts';
import { safeText } from './text.ts';

interface Selection {
  readonly service?: string;
  readonly instance?: number;
  readonly release?: number;
  readonly client?: string;
  readonly rule?: string;
  readonly protocol?: string;
}

const path = '/api/v1/connections';

/** connections: what clients have open with the router. */
export function addConnections(program: Command, act: Act): void {
  const connections = program
    .command('connections')
    .description('Show and close the connections that clients have open with the router.');
  withSelection(connections.command('list', { isDefault: true }))
    .description('List them, the oldest first.')
    .option('-n, --lines <number>', 'how many (default: 1000)', wholeNumber())
    .option('-f, --follow', 'stay and show what opens, changes and closes, until Ctrl-C')
    .addHelpText(
      'after',
      examples([
        'davit connections list',
        'davit connections list --service web --protocol websocket',
        'davit connections list --follow --json',
      ]),
    )
    .action(act(listConnections));
  withSelection(connections.command('close'))
    .description('Close some by their ids, or all that fit.')
    .argument('[connections...]', 'their ids, 300 at most', connectionArguments)
    .option('--all', 'every one')
    .addHelpText(
      'after',
      examples([
        'davit connections close a1b2c3-17',
        'davit connections close a1b2c3-17 a1b2c3-18',
        'davit connections close --service web --client 10.1.2.3',
      ]),
    )
    .action(act(closeConnections));
}

function withSelection(command: Command): Command {
  return command
    .option('--service <service>', 'only those to this service', serviceArgument)
    .option('--instance <number>', 'only those to this instance', wholeNumber())
    .option('--release <number>', 'only those to this release', wholeNumber())
    .option('--client <address>', 'only those of this client')
    .option('--rule <rule>', 'only those by this rule')
    .addOption(
      new Option('--protocol <protocol>', 'only those that speak it').choices([
        'http/1.1',
        'http/2',
        'websocket',
      ]),
    );
}

async function listConnections(
  run: Run,
  { lines, follow: stay, ...options }: Selection & { readonly lines?: number; readonly follow?: boolean },
): Promise<void> {
  const { agent, terminal, json } = run;
  const query = queryOf(options);
  if (stay) return followConnections(run, query);
  const answer = await agent().get<ConnectionList>(path, { ...query, limit: lines });
  if (json) return terminal.json(answer);
  if (answer.connections.length === 0) return terminal.print('No such connection is open.');
  terminal.print(connectionTable(run, answer.connections));
  const more = answer.total - answer.connections.length;
  if (more > 0) terminal.note(`… and ${more} more`);
}

async function followConnections({ agent, terminal, json, signal }: Run, query: Selection): Promise<void> {
  const onNotice = (message: string) => terminal.note(`davit: ${message}`);
  const stream = follow({
    client: agent(),
    path,
    query: { ...query, follow: 'true' },
    signal,
    onNotice,
  });
  for await (const { event, data } of stream) {
    if (event !== 'opened' && event !== 'changed' && event !== 'closed') continue;
    const connection: Connection = JSON.parse(data);
    if (json) terminal.jsonLine({ event, connection });
    else terminal.print(`${event.padEnd(7)} ${safeText(lineText(connection))}`);
    await terminal.drained(signal);
  }
}

async function closeConnections(
  { agent, terminal, json }: Run,
  { all, ...options }: Selection & { readonly all?: boolean },
  ids: readonly string[] = [],
): Promise<void> {
  const query = queryOf(options);
  const hasSelection = Object.keys(query).length > 0 || all === true;
  if (ids.length > 0 === hasSelection)
    throw new DavitError('usage', 'say which: ids, or flags such as --service, or --all');
  const [id] = ids;
  const answer =
    ids.length === 1
      ? await agent().delete<ClosedConnections>(`${path}/${id}`)
      : await agent().delete<ClosedConnections>(path, {
          ...query,
          ids: ids.length > 0 ? ids.join(',') : undefined,
          all: all ? 'true' : undefined,
        });
  if (json) return terminal.json(answer);
  const { closed, gone } = answer;
  const left = gone.length === 0 ? '' : `; ${gone.length} ${gone.length === 1 ? 'was' : 'were'} gone already`;
  terminal.print(`${closed} ${closed === 1 ? 'connection is' : 'connections are'} being closed${left}`);
}

function connectionTable({ terminal }: Run, connections: readonly Connection[]): string {
  const columns: Column[] = [
    { title: 'ID' },
    { title: 'CLIENT' },
    { title: 'SERVICE' },
    { title: 'INSTANCE', dropAt: 4 },
    { title: 'PROTOCOL', dropAt: 5 },
    { title: 'AGE', dropAt: 7 },
    { title: 'IDLE', dropAt: 3 },
    { title: 'IN', dropAt: 6 },
    { title: 'OUT', dropAt: 6 },
    { title: 'RULE', dropAt: 1 },
    { title: 'REQUEST', dropAt: 2, isFlexible: true },
  ];
  const rows = connections.map((each) => [
    each.id,
    each.client,
    each.service ?? '-',
    each.instance === null ? '-' : `${each.instance} (r${each.release})`,
    each.protocol,
    since(each.started_at),
    each.active ? 'active' : since(each.last_activity_at),
    sizeText(each.bytes_in),
    sizeText(each.bytes_out),
    each.rule ?? '-',
    `${each.host ?? ''}${each.path ?? ''}` || '-',
  ]);
  return table(columns, rows, terminal.columns);
}

function lineText({ id, client, service, instance, protocol, bytes_in, bytes_out, host, path }: Connection) {
  const to = service === null ? '-' : `${service}/${instance ?? '-'}`;
  return `${id} ${client} ${protocol} ${to} in ${sizeText(bytes_in)} out ${sizeText(bytes_out)} ${host ?? ''}${path ?? ''}`;
}

/** Without what is left out. */
function queryOf({ service, instance, release, client, rule, protocol }: Selection): Selection {
  const given = Object.entries({ service, instance, release, client, rule, protocol });
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}
