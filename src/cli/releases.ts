import type { Command } from 'commander';
import type { ReleaseList } from '../contract/releases.ts';
import type { OperationResult } from '../contract/services.ts';
import { serviceArgument, servicePath, wholeNumber } from './arguments.ts';
import type { Act, Run } from './command.ts';
import { commandText, moment } from './format.ts';
import { examples } from './help.ts';
import { operationText } from './operation.ts';
import { type Column, table } from './table.ts';

export function addReleases(program: Command, act: Act): void {
  program
    .command('releases')
    .description('List the releases of a service, newest first. * marks the current one.')
    .argument('<service>', 'the service', serviceArgument)
    .addHelpText('after', examples(['davit releases web']))
    .action(act(listReleases));
}

export function addRollback(program: Command, act: Act): void {
  program
    .command('rollback')
    .description('Make an earlier release of a service the current one again.')
    .argument('<service>', 'the service', serviceArgument)
    .argument('[release]', 'its number; without it, the last good one before the current', wholeNumber())
    .addHelpText('after', examples(['davit rollback web', 'davit rollback web 3']))
    .action(
      act(async ({ agent, terminal, json }: Run, _options: object, service: string, release?: number) => {
        const body = release === undefined ? {} : { release };
        const result = await agent().post<OperationResult>(servicePath(service, '/rollback'), body);
        if (json) terminal.json(result);
        else terminal.print(operationText(result));
      }),
    );
}

async function listReleases(
  { agent, terminal, json }: Run,
  _options: object,
  service: string,
): Promise<void> {
  const answer = await agent().get<ReleaseList>(servicePath(service, '/releases'));
  if (json) return terminal.json(answer);
  const columns: Column[] = [
    { title: 'RELEASE' },
    {
      title: 'OUTCOME',
      paint: (outcome) => (outcome === 'failed' ? terminal.style('red', outcome) : outcome),
    },
    { title: 'REASON', dropAt: 2 },
    { title: 'CREATED', dropAt: 3 },
    { title: 'BY', dropAt: 1 },
    { title: 'COMMAND', isFlexible: true },
  ];
  const rows = answer.releases.map((release) => [
    `${release.release}${release.current ? ' *' : ''}`,
    release.outcome,
    release.reason,
    moment(release.created_at),
    release.created_by,
    commandText(release.spec.command) + (release.cause === null ? '' : ` (${release.cause})`),
  ]);
  terminal.print(table(columns, rows, terminal.columns));
}
