import type { Command } from 'commander';
import type { RunOutcome, TaskRunList } from '../contract/runs.ts';
import { serviceArgument, servicePath, wholeNumber } from './arguments.ts';
import type { Act, Run } from './command.ts';
import { moment, tookText } from './format.ts';
import { examples } from './help.ts';
import { type Column, table } from './table.ts';
import type { Terminal } from './terminal.ts';
import { safeText } from './text.ts';

export function addRuns(program: Command, act: Act): void {
  program
    .command('runs')
    .description('List the runs of a task, newest first, with those that were due and were not run.')
    .argument('<service>', 'the task', serviceArgument)
    .option('-n, --lines <number>', 'how many, at most 200 (default: 50)', wholeNumber())
    .addHelpText('after', examples(['davit runs backup', 'davit runs backup -n 5 --json']))
    .action(act(listRuns));
}

async function listRuns(
  { agent, terminal, json }: Run,
  { lines }: { lines?: number },
  service: string,
): Promise<void> {
  const answer = await agent().get<TaskRunList>(servicePath(service, '/runs'), { limit: lines });
  if (json) return terminal.json(answer);
  if (answer.runs.length === 0) return terminal.print(`${safeText(service)} has had no run as a task yet.`);
  const columns: Column[] = [
    { title: 'DUE' },
    { title: 'STARTED', dropAt: 2 },
    { title: 'TOOK' },
    { title: 'OUTCOME', paint: (outcome) => outcomeText(terminal, outcome) },
    { title: 'BY', dropAt: 3 },
    { title: 'RELEASE', dropAt: 1 },
    { title: 'MESSAGE', isFlexible: true },
  ];
  const rows = answer.runs.map((run) => [
    run.scheduled_for === null ? '-' : moment(run.scheduled_for),
    run.started_at === null ? '-' : moment(run.started_at),
    tookText(run),
    run.outcome,
    run.trigger,
    run.release?.toString() ?? '-',
    run.times > 1 ? `${run.times} times, the last one: ${run.message}` : run.message,
  ]);
  terminal.print(table(columns, rows, terminal.columns));
}

function outcomeText(terminal: Terminal, outcome: string): string {
  const styles: Readonly<Partial<Record<RunOutcome, 'green' | 'yellow' | 'red'>>> = {
    succeeded: 'green',
    running: 'yellow',
    failed: 'red',
    missed: 'red',
    lost: 'red',
  };
  const style = Object.hasOwn(styles, outcome) ? styles[outcome as RunOutcome] : undefined;
  return style === undefined ? outcome : terminal.style(style, outcome);
}
