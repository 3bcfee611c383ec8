import type { Command } from 'commander';
import type { Orphan, OrphanList, ProcessInformation, StoppedOrphan } from '../contract/processes.ts';
import { DavitError } from '../lib/errors.ts';
import { instanceArgument } from './arguments.ts';
import type { Act, Run } from './command.ts';
import { exitCode } from './exit_codes.ts';
import { since } from './format.ts';
import { examples } from './help.ts';
import { trouble } from './operation.ts';
import { type Column, table } from './table.ts';
import { safeText } from './text.ts';

export function addOrphans(program: Command, act: Act): void {
  const orphans = program
    .command('orphans')
    .description('Show and end what runs of former instances that no service has any more.');
  orphans
    .command('list', { isDefault: true })
    .description('List them, oldest first.')
    .addHelpText('after', examples(['davit orphans', 'davit orphans list --json']))
    .action(act(listOrphans));
  orphans
    .command('stop')
    .description('End one with everything it started: SIGTERM, and SIGKILL after 5 s.')
    .argument('<instance>', 'its id, as listed', instanceArgument)
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', examples(['davit orphans stop 2f1c9a7e-0b6f2c7d-1f0e-4d6a-9a43-6f1d2c3b4a59']))
    .action(act(stopOrphan));
}

async function listOrphans({ agent, terminal, json }: Run): Promise<void> {
  const answer = await agent().get<OrphanList>('/api/v1/orphans');
  if (json) return terminal.json(answer);
  if (answer.orphans.length === 0) return terminal.print('There are no orphans.');
  const columns: Column[] = [
    { title: 'INSTANCE' },
    { title: 'SERVICE' },
    { title: 'RELEASE', dropAt: 2 },
    { title: 'PROCESSES', dropAt: 1 },
    { title: 'STARTED', dropAt: 3 },
    { title: 'COMMAND', isFlexible: true },
  ];
  const rows = answer.orphans.map((orphan) => [
    orphan.instance_id,
    orphan.service ?? '-',
    String(orphan.release ?? '-'),
    String(orphan.process_count),
    `${since(orphan.started_at)} ago`,
    commandOf(orphan),
  ]);
  terminal.print(table(columns, rows, terminal.columns));
  const more = answer.orphan_count - answer.orphans.length;
  if (more > 0) terminal.print(`… and ${more} more`);
}

async function stopOrphan(run: Run, { yes }: { yes?: boolean }, instance: string): Promise<number> {
  const { agent, terminal, json } = run;
  if (!yes && !(await isConfirmed(run, instance))) {
    terminal.note('Nothing was ended.');
    return exitCode.failed;
  }
  const result = await agent().post<StoppedOrphan>(`/api/v1/orphans/${instance}/stop`);
  if (json) terminal.json(result);
  else terminal.print(`${safeText(result.message)}${trouble(result.stop)}`);
  return result.stop.survivors.length === 0 ? exitCode.ok : exitCode.failed;
}

async function isConfirmed({ agent, terminal, signal }: Run, instance: string): Promise<boolean> {
  if (!terminal.canAsk)
    throw new DavitError('usage', 'ending an orphan needs --yes where nobody can be asked');
  const { orphans } = await agent().get<OrphanList>('/api/v1/orphans');
  const orphan = orphans.find(({ instance_id }) => instance_id === instance);
  // The agent says what is to be said of one that it does not list.
  if (orphan === undefined) return true;
  const { service, process_count, started_at } = orphan;
  const of = service === null ? '' : ` of ${service}`;
  const processes = process_count === 1 ? 'process' : 'processes';
  const what = `${process_count} ${processes}${of}, started ${since(started_at)} ago (${commandOf(orphan)})`;
  return await terminal.confirm(`End ${safeText(what)}?`, signal);
}

/** What people know it by: its program, or what is left of it. */
function commandOf({ processes }: Orphan): string {
  const isMain = ({ role }: ProcessInformation) => role === 'main';
  return (processes.find(isMain) ?? processes[0])?.command ?? '-';
}
