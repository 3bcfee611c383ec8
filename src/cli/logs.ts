import { type Command, InvalidArgumentError, Option } from 'commander';
import type { LogLine, LogPage, SkippedOutput } from '../contract/logs.ts';
import type { MergedLines, MergedLogPage, SkippedServiceOutput } from '../contract/merged_logs.ts';
import { logLevels } from '../contract/scalars.ts';
import { DavitError } from '../lib/errors.ts';
import { logServices, momentArgument, servicePath, wholeNumber } from './arguments.ts';
import type { Query } from './client.ts';
import type { Act, Run } from './command.ts';
import { follow } from './event_stream.ts';
import { examples } from './help.ts';
import { ShownLines } from './shown_lines.ts';

const mergedPath = '/api/v1/logs';
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
  readonly release?: number;
  readonly instance?: number;
  readonly after?: string;
  readonly before?: string;
  readonly timestamps?: boolean;
}

export function addLogs(program: Command, act: Act): void {
  program
    .command('logs')
    .description('Show what services wrote, oldest first.')
    .argument(
      '<service...>',
      'the service; several, or globs such as shop-*, are merged by time',
      logServices,
    )
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
    .option('--release <number>', 'only what that release of each wrote', wholeNumber())
    .option('--instance <number>', 'only what that instance of each wrote', wholeNumber())
    .option('--after <cursor>', 'the first lines after a cursor, which --json shows', cursorArgument)
    .addOption(
      new Option('--before <cursor>', 'the last lines before a cursor')
        .argParser(cursorArgument)
        .conflicts(['follow', 'after']),
    )
    .option('-t, --timestamps', 'show when each line was seen, and its stream')
    .addHelpText(
      'after',
      `${examples([
        'davit logs web',
        'davit logs web -f',
        'davit logs web --since 1h --level warn',
        'davit logs web -n 1000 --grep "status=5\\d\\d" --timestamps',
        'davit logs web api -f',
        "davit logs 'shop-*' --since 15m",
      ])}

On a terminal, colours are kept and other control characters shown as \\x1b, and
where lines come from several releases or instances, r7.i1 tells which; in a
file or a pipe, each line stands exactly as it was written.`,
    )
    .action(act(showLogs));
}

async function showLogs(run: Run, options: LogsOptions, names: readonly string[]): Promise<void> {
  const [service = '', ...others] = names;
  if (others.length > 0 || service.includes('*')) return showMergedLogs(run, options, names);
  refuseOtherCursor(options);
  if (options.follow) return followLogs(run, options, service);
  const { agent, terminal, json } = run;
  const page = await agent().get<LogPage>(servicePath(service, '/logs'), queryOf(options));
  if (json) return terminal.json(page);
  if (page.skipped !== undefined) terminal.note(`davit: ${skippedText(page.skipped)}`);
  const shown = new ShownLines(terminal, options.timestamps === true);
  for (const line of page.lines) shown.note(line);
  for (const line of page.lines) terminal.print(shown.text(line));
  const note = moreNote(page, options);
  if (note !== null) terminal.note(note);
}

async function followLogs(run: Run, options: LogsOptions, service: string): Promise<void> {
  const { agent, terminal, json, signal } = run;
  const path = servicePath(service, '/logs');
  const query = { ...queryOf(options), follow: 'true' };
  const onNotice = (message: string) => terminal.note(`davit: ${message}`);
  const shown = new ShownLines(terminal, options.timestamps === true);
  for await (const { event, data } of follow({ client: agent(), path, query, signal, onNotice })) {
    if (event === 'skipped') terminal.note(`davit: ${skippedText(JSON.parse(data))}`);
    if (event !== 'line') continue;
    const line: LogLine = JSON.parse(data);
    shown.note(line);
    if (json) terminal.jsonLine(line);
    else terminal.print(shown.text(line));
    await terminal.drained(signal);
  }
}

async function showMergedLogs(run: Run, options: LogsOptions, names: readonly string[]): Promise<void> {
  const query = { ...queryOf(options), services: names.join(',') };
  if (options.follow) return followMergedLogs(run, options, query);
  const { agent, terminal, json } = run;
  const page = await agent().get<MergedLogPage>(mergedPath, query);
  if (json) return terminal.json(page);
  for (const skipped of page.skipped ?? []) terminal.note(mergedSkippedNote(skipped));
  const shown = new ShownLines(terminal, options.timestamps === true);
  for (const line of page.lines) shown.note(line);
  for (const line of page.lines) terminal.print(shown.text(line));
  const note = moreNote(page, options);
  if (note !== null) terminal.note(note);
}

async function followMergedLogs(run: Run, options: LogsOptions, services: Query): Promise<void> {
  const { agent, terminal, json, signal } = run;
  const query = { ...services, follow: 'true' };
  const onNotice = (message: string) => terminal.note(`davit: ${message}`);
  const shown = new ShownLines(terminal, options.timestamps === true);
  const stream = follow({ client: agent(), path: mergedPath, query, signal, onNotice });
  for await (const { event, data } of stream) {
    if (event === 'skipped') terminal.note(mergedSkippedNote(JSON.parse(data)));
    if (event !== 'lines') continue;
    const { lines }: MergedLines = JSON.parse(data);
    for (const line of lines) shown.note(line);
    for (const line of lines) {
      if (json) terminal.jsonLine(line);
      else terminal.print(shown.text(line));
    }
    await terminal.drained(signal);
  }
}

function mergedSkippedNote(skipped: SkippedServiceOutput): string {
  return `davit: ${skipped.service}: ${skippedText(skipped)}`;
}

/** What is missing of what a service wrote, and why. */
export function skippedText({ bytes }: SkippedOutput): string {
  const amount = bytes === null ? 'some output' : `${bytes} bytes of output`;
  return `${amount} before these lines ${bytes === null ? 'is' : 'are'} skipped: not kept any more, or read too slowly`;
}

/** What is said when a page is not all that was asked for; nothing where only the last lines were. */
function moreNote(
  { truncated, before, after }: Pick<LogPage, 'truncated' | 'before' | 'after'>,
  options: LogsOptions,
): string | null {
  if (!truncated) return null;
  if (options.after !== undefined) return `davit: there are more lines, after these: --after ${after}`;
  if (options.since === undefined && options.before === undefined) return null;
  return `davit: there are more lines, before these: --before ${before}`;
}

function queryOf(options: LogsOptions): Query {
  const { lines, since, until, stream, grep, level, release, instance, after, before } = options;
  const wanted = lines ?? (since === undefined ? undefined : mostLines);
  return { lines: wanted, since, until, stream, grep, level, release, instance, after, before };
}

function cursorArgument(value: string): string {
  if (/^([\d._]{1,12000}|A[\w-]{1,11999})$/.test(value)) return value;
  throw new InvalidArgumentError('must be a cursor, such as 12.1024.0, which --json shows');
}

/** Throws `usage` for a cursor of several services where one is asked for. */
function refuseOtherCursor({ after, before }: LogsOptions): void {
  if (/^A/.test(after ?? before ?? ''))
    throw new DavitError('usage', 'that is a cursor of several services: name these services with it');
}
