import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { configFile } from '../contract/config_file.ts';
import type {
  ConfigContent,
  ConfigDiff,
  ConfigList,
  ConfigResult,
  ConfigVersionContent,
  ConfigVersionList,
} from '../contract/configs.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { configArgument, serviceArgument, servicePath, wholeNumber } from './arguments.ts';
import type { Act, Run } from './command.ts';
import { editorOf, runEditor } from './editor.ts';
import { moment } from './format.ts';
import { examples } from './help.ts';
import { type Column, table } from './table.ts';
import type { Terminal } from './terminal.ts';
import { safeText } from './text.ts';

interface PutOptions {
  readonly reload?: string;
  readonly ifSha256?: string;
}

/** configs: the files that a service reads, by the names that its spec gives them. */
export function addConfigs(program: Command, act: Act): void {
  const configs = program
    .command('configs')
    .description('Show, replace and roll back the configuration files of a service.');
  configs
    .command('list', { isDefault: true })
    .description('List them.')
    .argument('<service>', 'the service', serviceArgument)
    .addHelpText('after', examples(['davit configs list web']))
    .action(act(listConfigs));
  onFile(configs, 'show', 'Show the content of one, as it is or as a version had it.')
    .argument('[version]', 'which; without it, as it is', wholeNumber())
    .addHelpText('after', examples(['davit configs show web app', 'davit configs show web app 3']))
    .action(act(showConfig));
  onFile(configs, 'put', 'Check and replace one, and reload the service.')
    .argument('<file>', 'what it is to hold; - for standard input')
    .addOption(reloadOption())
    .option('--if-sha256 <hash>', 'only if that is what it holds; "none": only if it is not there')
    .addHelpText(
      'after',
      examples(['davit configs put web app app.conf', 'davit configs put web app - < app.conf']),
    )
    .action(act(putConfig));
  onFile(configs, 'edit', 'Edit one with $VISUAL or $EDITOR, and replace it.')
    .addOption(reloadOption())
    .addHelpText('after', examples(['davit configs edit web app']))
    .action(act(editConfig));
  onFile(configs, 'versions', 'List what one held, newest first. * marks what it holds now.')
    .addHelpText('after', examples(['davit configs versions web app']))
    .action(act(listVersions));
  onFile(
    configs,
    'diff',
    'Show what differs between the newest version and the file as it is, or two versions.',
  )
    .argument('[from]', 'a version', wholeNumber())
    .argument('[to]', 'a version; without it, the file as it is', wholeNumber())
    .addHelpText('after', examples(['davit configs diff web app', 'davit configs diff web app 3 4']))
    .action(act(diffConfig));
  onFile(configs, 'rollback', 'Make an earlier version the content again, and reload the service.')
    .argument('[version]', 'which; without it, the one before', wholeNumber())
    .addOption(reloadOption())
    .addHelpText('after', examples(['davit configs rollback web app', 'davit configs rollback web app 3']))
    .action(act(rollbackConfig));
}

function onFile(configs: Command, name: string, description: string): Command {
  return configs
    .command(name)
    .description(description)
    .argument('<service>', 'the service', serviceArgument)
    .argument('<name>', 'the file, by its name in the spec', configArgument);
}

function reloadOption(): Option {
  return new Option('--reload <how>', 'instead of what the spec names').choices(
    configFile.shape.reload.unwrap().options,
  );
}

function configPath(service: string, name: string, rest = ''): string {
  return servicePath(service, `/configs/${name}${rest}`);
}

async function listConfigs({ agent, terminal, json }: Run, _options: object, service: string): Promise<void> {
  const answer = await agent().get<ConfigList>(servicePath(service, '/configs'));
  if (json) return terminal.json(answer);
  if (answer.configs.length === 0) return terminal.print('Its spec names no configuration files (configs).');
  const columns: Column[] = [
    { title: 'NAME' },
    { title: 'VERSION' },
    { title: 'SIZE', dropAt: 1 },
    { title: 'CHANGED', dropAt: 3 },
    { title: 'RELOAD', dropAt: 2 },
    { title: 'PATH', isFlexible: true },
  ];
  const rows = answer.configs.map((config) => [
    config.name,
    config.exists ? String(config.version ?? 'none') : '-',
    config.size === null ? '-' : String(config.size),
    config.modified_at === null ? '-' : moment(config.modified_at),
    config.signal ?? config.reload,
    config.path,
  ]);
  terminal.print(table(columns, rows, terminal.columns));
  for (const { name, problem } of answer.configs)
    if (problem !== null) terminal.note(`${terminal.style('yellow', `${name}:`)} ${safeText(problem)}`);
}

async function showConfig(
  { agent, terminal, json }: Run,
  _options: object,
  service: string,
  name: string,
  version?: number,
): Promise<void> {
  const path = configPath(service, name, version === undefined ? '' : `/versions/${version}`);
  const answer = await agent().get<ConfigContent | ConfigVersionContent>(path);
  if (json) return terminal.json(answer);
  printText(terminal, answer.content);
}

async function putConfig(
  run: Run,
  { reload, ifSha256 }: PutOptions,
  service: string,
  name: string,
  file: string,
): Promise<void> {
  const content = file === '-' ? await run.terminal.readInput() : readText(file);
  const if_sha256 = ifSha256 === 'none' ? null : ifSha256;
  const result = await run.agent().put<ConfigResult>(configPath(service, name), {
    content,
    ...(if_sha256 !== undefined && { if_sha256 }),
    ...(reload !== undefined && { reload }),
  });
  printResult(run, result);
}

/** Throws what the agent answers; what was edited is kept then, and where is told. */
async function editConfig(run: Run, { reload }: PutOptions, service: string, name: string): Promise<void> {
  const { agent, terminal, environment } = run;
  const path = configPath(service, name);
  const found = await agent().get<ConfigContent>(path).catch(absent);
  const folder = mkdtempSync(join(tmpdir(), 'davit-edit-'));
  const file = join(folder, name);
  writeFileSync(file, found?.content ?? '', { mode: 0o600 });
  await runEditor(editorOf(environment), file).catch((error) => {
    rmSync(folder, { recursive: true });
    throw error;
  });
  const content = readText(file);
  if (content === (found?.content ?? '')) {
    rmSync(folder, { recursive: true });
    terminal.note('Nothing was changed.');
    return;
  }
  try {
    const body = { content, if_sha256: found?.sha256 ?? null, ...(reload !== undefined && { reload }) };
    printResult(run, await agent().put<ConfigResult>(path, body));
  } catch (error) {
    terminal.note(`What you wrote is kept in ${file}`);
    throw error;
  }
  rmSync(folder, { recursive: true });
}

async function listVersions(
  { agent, terminal, json }: Run,
  _options: object,
  service: string,
  name: string,
): Promise<void> {
  const answer = await agent().get<ConfigVersionList>(configPath(service, name, '/versions'));
  if (json) return terminal.json(answer);
  if (answer.versions.length === 0) return terminal.print('It was not replaced yet.');
  const columns: Column[] = [
    { title: 'VERSION' },
    { title: 'TIME' },
    { title: 'SIZE', dropAt: 2 },
    { title: 'SHA-256', dropAt: 1 },
    { title: 'BY', isFlexible: true },
  ];
  const rows = answer.versions.map((kept) => [
    `${kept.version}${kept.current ? ' *' : ''}`,
    moment(kept.time),
    String(kept.size),
    kept.sha256.slice(0, 12),
    `${kept.actor ?? 'not written by davit'}${kept.restored_from === null ? '' : ` (from version ${kept.restored_from})`}`,
  ]);
  terminal.print(table(columns, rows, terminal.columns));
}

async function diffConfig(
  { agent, terminal, json }: Run,
  _options: object,
  ...[service, name, from, to]: [string, string, number?, number?]
): Promise<void> {
  const answer = await agent().get<ConfigDiff>(configPath(service, name, '/diff'), { from, to });
  if (json) return terminal.json(answer);
  if (answer.diff === '') return terminal.note('They do not differ.');
  printDiff(terminal, answer.diff);
}

async function rollbackConfig(
  run: Run,
  { reload }: PutOptions,
  service: string,
  name: string,
  version?: number,
): Promise<void> {
  const body = { ...(version !== undefined && { version }), ...(reload !== undefined && { reload }) };
  printResult(run, await run.agent().post<ConfigResult>(configPath(service, name, '/rollback'), body));
}

function printResult({ terminal, json }: Run, result: ConfigResult): void {
  if (json) {
    terminal.json(result);
    return;
  }
  if (result.status !== 'unchanged') printDiff(terminal, result.diff);
  terminal.print(`${safeText(result.service)}: ${safeText(result.message)}`);
}

function printDiff(terminal: Terminal, diff: string | null): void {
  if (diff === null) terminal.note('They differ too much to be shown, or are no text.');
  for (const line of diff?.replace(/\n$/, '').split('\n') ?? []) {
    const style = line.startsWith('+') ? 'green' : line.startsWith('-') ? 'red' : null;
    const shown = terminal.logLine(line);
    terminal.print(style === null ? shown : terminal.style(style, shown));
  }
}

/** Exactly as it is in a file or a pipe; on a terminal it can do no harm. */
function printText(terminal: Terminal, text: string): void {
  terminal.write(
    terminal.isTerminal
      ? text
          .split('\n')
          .map((line) => terminal.logLine(line))
          .join('\n')
      : text,
  );
}

/** A file that is not there yet is edited from nothing. */
function absent(error: unknown): null {
  const isThatFile =
    error instanceof DavitError &&
    error.code === 'config_not_found' &&
    / is not there yet: /.test(error.message);
  if (isThatFile) return null;
  throw error;
}

/** Throws `usage` when it cannot be read, or is no text. */
function readText(file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(readFileSync(file));
  } catch (cause) {
    throw new DavitError('usage', `${file} cannot be read as text: ${errorMessage(cause)}`, { cause });
  }
}
