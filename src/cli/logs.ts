import { type Command, InvalidArgumentError, Option } from 'commander';
import type { LogLine, LogPage, SkippedOutput } from '../contract/answers.ts';
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
  readonly release?: number;
  readonly instance?: number;
  readonly after?: string;
  readonly before?: string;
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
    .option('--release <number>', 'only what that release wrote', wholeNumber())
    .option('--instance <number>', 'only what that instance wrote', wholeNumber())
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
      ])}

On a terminal, colours are kept and other control characters shown as \\x1b, and
where lines come from several releases or instances, r7.i1 tells which; in a
file or a pipe, each line stands exactly as it was written.`,
    )
    .action(act(showLogs));
}

async function showLogs(run: Run, options: LogsOptions, service: string): Promise<void> {
  if (options.follow) return followLogs(run, options, service);
  const { agent, terminal, json } = run;
  const page = await agent().get<LogPage>(servicePath(service, '/logs'), queryOf(options));
  if (json) return terminal.json(page);
  if (page.skipped !== undefined) terminal.note(skippedNote(page.skipped));
  const shown = new ShownLines(options, terminal);
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
  const shown = new ShownLines(options, terminal);
  for await (const { event, data } of follow({ client: agent(), path, query, signal, onNotice })) {
    if (event === 'skipped') terminal.note(skippedNote(JSON.parse(data)));
    if (event !== 'line') continue;
    const line: LogLine = JSON.parse(data);
    shown.note(line);
    if (json) terminal.jsonLine(line);
    else terminal.print(shown.text(line));
    await terminal.drained(signal);
  }
}

/** Lines as they are shown: with what tells them apart once they come from several releases or instances. */
class ShownLines {
  readonly #options: LogsOptions;
  readonly #terminal: Terminal;
  readonly #sources = new Set<string>();

  constructor(options: LogsOptions, terminal: Terminal) {
    this.#options = options;
    this.#terminal = terminal;
  }

  /** Takes notice of where a line comes from. */
  note(line: LogLine): void {
    this.#sources.add(sourceOf(line));
  }

  text(line: LogLine): string {
    const { timestamps } = this.#options;
    const isLabelled = this.#sources.size > 1 && (timestamps || this.#terminal.isTerminal);
    const labels = [
      ...(timestamps ? [line.time, line.stream] : []),
      ...(isLabelled ? [sourceOf(line)] : []),
    ].join(' ');
    const text = this.#terminal.logLine(line.line);
    return labels === '' ? text : `${this.#terminal.style('dim', labels)} ${text}`;
  }
}

function sourceOf({ release, instance }: LogLine): string {
  return `r${release}.i${instance}`;
}

function skippedNote({ bytes }: SkippedOutput): string {
  const amount = bytes === null ? 'some output' : `${bytes} bytes of output`;
  return `davit: ${amount} before these lines ${bytes === null ? 'is' : 'are'} skipped: not kept any more, or read too slowly`;
}

/** What is said when a page is not all that was asked for; nothing where only the last lines were. */
function moreNote({ truncated, before, after }: LogPage, options: LogsOptions): string | null {
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
  if (/^[\d._]{1,12000}$/.test(value)) return value;
  throw new InvalidArgumentError('must be a cursor, such as 12.1024.0, which --json shows');
}
