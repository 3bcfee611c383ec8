import type { Command } from 'commander';
import type { ProcessInformation, ProcessList } from '../contract/processes.ts';
import type { ServiceList } from '../contract/services.ts';
import { DavitError } from '../lib/errors.ts';
import { serviceArgument, servicePath } from './arguments.ts';
import type { AgentClient } from './client.ts';
import type { Act, Run } from './command.ts';
import { age, since } from './format.ts';
import { examples } from './help.ts';
import { drawTree, without } from './process_tree.ts';
import { type Column, table } from './table.ts';
import type { Terminal } from './terminal.ts';
import { safeText } from './text.ts';

/** How many services are asked about at the same time. */
const askedAtOnce = 8;

export function addPs(program: Command, act: Act): void {
  program
    .command('ps')
    .description('Show the processes of a service as a tree, or those of every service that runs.')
    .argument('[service]', 'the service', serviceArgument)
    .option('-a, --all', 'also the wrapper, the shell that waits for the program')
    .addHelpText('after', examples(['davit ps', 'davit ps web', 'davit ps web --all --json']))
    .action(act(showProcesses));
}

async function showProcesses(run: Run, { all }: { all?: boolean }, service?: string): Promise<void> {
  const { agent, terminal, json } = run;
  if (service !== undefined) {
    const answer = await agent().get<ProcessList>(servicePath(service, '/processes'));
    return json ? terminal.json(answer) : terminal.print(treeText(answer, terminal, all));
  }
  const answers = await runningServices(agent());
  if (json) return terminal.json({ services: answers });
  if (answers.length === 0) return terminal.print('No service is running.');
  terminal.print(answers.map((answer) => treeText(answer, terminal, all)).join('\n\n'));
}

/** Those of every service that has a process, by name. */
async function runningServices(client: AgentClient): Promise<ProcessList[]> {
  const { services } = await client.get<ServiceList>('/api/v1/services');
  const running = services.filter(({ status }) => status.pid !== undefined).map(({ id }) => id);
  running.sort();
  const answers: ProcessList[] = [];
  for (let at = 0; at < running.length; at += askedAtOnce) {
    const some = running.slice(at, at + askedAtOnce);
    answers.push(
      ...(await Promise.all(some.map((id) => listProcesses(client, id)))).filter((answer) => answer !== null),
    );
  }
  return answers;
}

/** Null when the service has been deleted meanwhile. */
async function listProcesses(client: AgentClient, service: string): Promise<ProcessList | null> {
  try {
    return await client.get<ProcessList>(servicePath(service, '/processes'));
  } catch (error) {
    if (error instanceof DavitError && error.code === 'service_not_found') return null;
    throw error;
  }
}

function treeText(answer: ProcessList, terminal: Terminal, all = false): string {
  const { service, processes, process_count } = answer;
  const name = terminal.style('bold', safeText(service));
  if (processes.length === 0) return `${name} has no processes`;
  const shown = all ? processes : without(processes, ({ role }) => role === 'wrapper');
  const more = process_count - processes.length;
  const rest = more > 0 ? `\n… and ${more} more processes` : '';
  return `${name}\n${processTable(shown, terminal)}${rest}`;
}

/** Processes as a table with a tree in its last column. */
function processTable(processes: readonly ProcessInformation[], terminal: Terminal): string {
  const columns: Column[] = [
    { title: 'PID' },
    { title: 'USER', dropAt: 2 },
    { title: 'CPU', dropAt: 4 },
    { title: 'MEM', dropAt: 5 },
    { title: 'STARTED', dropAt: 3 },
    { title: 'STATE', dropAt: 1 },
    { title: 'COMMAND', isFlexible: true },
  ];
  const rows = drawTree(processes).map(({ process, lead }) => [
    String(process.pid),
    process.user,
    cpuText(process.cpu_seconds),
    memoryText(process.resident_bytes),
    `${since(process.started_at)} ago`,
    process.state.replace('_', ' '),
    lead + process.command,
  ]);
  return table(columns, rows, terminal.columns);
}

function cpuText(seconds: number): string {
  return seconds < 60 ? `${seconds.toFixed(1)}s` : age(seconds * 1_000);
}

/** `512K`, `71M`, `1.5G`, in powers of 1,024. */
function memoryText(bytes: number): string {
  if (bytes < 2 ** 20) return `${Math.round(bytes / 2 ** 10)}K`;
  return bytes < 2 ** 30 ? `${Math.round(bytes / 2 ** 20)}M` : `${(bytes / 2 ** 30).toFixed(1)}G`;
}
