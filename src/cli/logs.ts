import { type Command, Option } from 'commander';
import type { LogLine, LogPage } from '../contract/answers.ts';
import { logLevels } from '../contract/scalars.ts';
import { momentArgument, serviceArgument, servicePath, wholeNumber } from './arguments.ts';
import type { Query } from './client.ts';
import type { Act, Run } from './command.ts';
import { follow } from './event_stream.ts';
import { examples } from './help.ts';
import type { Terminal } from './terminal.ts';

/** As many lines as an agent gives at once. */
const mostLines = 10_000;

interface LogsOptions {
  readonly follow?: boolean;
  readonly lines?: number;
  readonly since?: string;
  readonly until?: string;
  readonly stream?: string;
  readonly grep?: string;
  readonly level?: string;
  readonly timestamps?: boolean;
}

export function addLogs(program: Command, act: Act): void {
  program
    .command('logs')
    .description('Show what a service wrote, oldest first.')
    .argument('<service>', 'the service', serviceArgument)
    .option('-f, --follow', 'stay and show what comes, until Ctrl-C')
    .option(
      '-n, --lines <number>',
      'how many, counted from the end (default: 100; all with --since)',
      wholeNumber(0),
    )
    .option('--since <moment>', 'from then on: 15m ago, or a time such as "2026-01-31 12:00"', momentArgument)
    .addOption(new Option('--until <moment>', 'up to then').argParser(momentArgument).conflicts('follow'))
    .addOption(new Option('--stream <name>', 'only one of the two streams').choices(['stdout', 'stderr']))
    .option('--grep <regexp>', 'only lines that match (RE2 syntax)')
    .addOption(new Option('--level <level>', 'only lines of at least that level').choices(logLevels))
    .option('-t, --timestamps', 'show when each line was seen, and its stream')
    .addHelpText(
      'after',
      `${examples([
        'davit logs web',
        'davit logs web -f',
        'davit logs web --since 1h --level warn',
        'davit logs web -n 1000 --grep "status=5\\d\\d" --timestamps',
      ])}

On a terminal, colours are kept and other control characters shown as \\x1b;
in a file or a pipe, each line stands exactly as it was written.`,
    )
    .action(act(showLogs));
}

async function showLogs(run: Run, options: LogsOptions, service: string): Promise<void> {
  const { agent, terminal, json, signal } = run;
  const path = servicePath(service, '/logs');
  if (!options.follow) {
    const page = await agent().get<LogPage>(path, queryOf(options));
    if (json) return terminal.json(page);
    for (const line of page.lines) terminal.print(lineText(line, options, terminal));
    if (page.truncated && options.since !== undefined)
      terminal.note('davit: there are more lines, before these');
    return;
  }
  const query = { ...queryOf(options), follow: 'true' };
  const onNotice = (message: string) => terminal.note(`davit: ${message}`);
  for await (const { event, data } of follow({ client: agent(), path, query, signal, onNotice })) {
    if (event !== 'line') continue;
    const line: LogLine = JSON.parse(data);
    if (json) terminal.jsonLine(line);
    else terminal.print(lineText(line, options, terminal));
    await terminal.drained(signal);
  }
}

function queryOf({ lines, since, until, stream, grep, level }: LogsOptions): Query {
  return { lines: lines ?? (since === undefined ? undefined : mostLines), since, until, stream, grep, level };
}

function lineText({ time, stream, line }: LogLine, { timestamps }: LogsOptions, terminal: Terminal): string {
  const text = terminal.logLine(line);
  return timestamps ? `${terminal.style('dim', `${time} ${stream}`)} ${text}` : text;
}
