import type { Command } from 'commander';
import type { ArtifactList } from '../contract/artifacts.ts';
import { serviceArgument, servicePath } from './arguments.ts';
import type { Act, Run } from './command.ts';
import { moment, sizeText } from './format.ts';
import { examples } from './help.ts';
import { type Column, table } from './table.ts';
import { safeText } from './text.ts';

/** How much of a SHA-256 is shown; it is more than enough to tell one from another. */
const shownDigits = 12;

export function addArtifacts(program: Command, act: Act): void {
  program
    .command('artifacts')
    .description(
      'List the archives that are kept of a service, newest first. * marks that of the current release.',
    )
    .argument('<service>', 'the service', serviceArgument)
    .addHelpText('after', examples(['davit artifacts web', 'davit artifacts web --json']))
    .action(act(listArtifacts));
}

async function listArtifacts(
  { agent, terminal, json }: Run,
  _options: object,
  service: string,
): Promise<void> {
  const answer = await agent().get<ArtifactList>(servicePath(service, '/artifacts'));
  if (json) return terminal.json(answer);
  if (answer.artifacts.length === 0) return terminal.print(`${safeText(service)} has no artifacts.`);
  const columns: Column[] = [
    { title: 'SHA256' },
    { title: 'SIZE' },
    { title: 'UPLOADED', dropAt: 1 },
    { title: 'RELEASES', isFlexible: true },
  ];
  const rows = answer.artifacts.map(({ sha256, size, uploaded_at, releases, current }) => [
    `${sha256.slice(0, shownDigits)}${current ? ' *' : ''}`,
    sizeText(size),
    moment(uploaded_at),
    releases.length === 0 ? '-' : releases.join(', '),
  ]);
  terminal.print(table(columns, rows, terminal.columns));
}
