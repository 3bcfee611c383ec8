import { resolve } from 'node:path';
import type { Command } from 'commander';
import { DavitError } from '../lib/errors.ts';
import type { Act, CommonFlags, Run } from './command.ts';
import {
  type Context,
  contextFilePath,
  contextNamed,
  localContext,
  readContexts,
  writeContexts,
} from './context_file.ts';
import { examples } from './help.ts';
import { type Column, table } from './table.ts';
import { agentUrl } from './target.ts';

export function addContexts(program: Command, act: Act): void {
  const context = program
    .command('context')
    .description('Name agents, so that --context or "davit context use" chooses one.');
  context
    .command('list')
    .description('List the contexts. * marks the one in use.')
    .addHelpText('after', examples(['davit context list']))
    .action(act(listContexts));
  context
    .command('use')
    .description(`Use a context from now on; "${localContext}" is the agent of this host.`)
    .argument('<context>', 'its name')
    .addHelpText('after', examples(['davit context use production', `davit context use ${localContext}`]))
    .action(act(useContext));
  context
    .command('set')
    .description(
      'Make or replace a context, from --url, --key-file, --ca-file, --cert-file and --cert-key-file.',
    )
    .argument('<context>', 'its name')
    .option('--key-stdin', 'read the key from standard input and keep it in the file of contexts')
    .addHelpText(
      'after',
      examples([
        'davit context set production --url https://deploy.example.com:8888 \\\n      --key-file ~/.davit/production.key --ca-file ~/.davit/ca.pem',
        'davit context set staging --url https://10.0.0.5:8888 --key-stdin < key',
      ]),
    )
    .action(act(setContext));
  context
    .command('delete')
    .description('Forget a context.')
    .argument('<context>', 'its name')
    .addHelpText('after', examples(['davit context delete staging']))
    .action(act(deleteContext));
}

async function listContexts({ terminal, environment, json }: Run): Promise<void> {
  const { current, contexts } = readContexts(contextFilePath(environment));
  const inUse = current ?? localContext;
  const shown = Object.entries(contexts).map(([name, context]) => ({
    name,
    current: name === inUse,
    url: context.url as string | null,
    key: context.key === undefined ? (context.key_file ?? null) : 'in the file of contexts',
  }));
  const all = [{ name: localContext, current: inUse === localContext, url: null, key: null }, ...shown];
  if (json) return terminal.json({ contexts: all });
  const columns: Column[] = [{ title: 'CONTEXT' }, { title: 'URL' }, { title: 'KEY', isFlexible: true }];
  const rows = all.map(({ name, current: isCurrent, url, key }) => [
    isCurrent ? `${name} *` : name,
    url ?? 'the agent of this host',
    key ?? '-',
  ]);
  terminal.print(table(columns, rows, terminal.columns));
}

async function useContext(
  { terminal, environment, json }: Run,
  _options: object,
  name: string,
): Promise<void> {
  const path = contextFilePath(environment);
  const all = readContexts(path);
  if (name !== localContext) contextNamed(name, all);
  writeContexts(path, { ...all, current: name === localContext ? null : name });
  if (json) terminal.json({ current: name });
  else terminal.print(`using ${name}`);
}

async function setContext(run: Run, { keyStdin }: { keyStdin?: boolean }, name: string): Promise<void> {
  const { terminal, environment, flags, json } = run;
  if (flags.url === undefined) throw new DavitError('usage', 'a context needs --url');
  if (keyStdin && flags.keyFile !== undefined)
    throw new DavitError('usage', 'give --key-file or --key-stdin, not both');
  const url = agentUrl(flags.url, '--url').href;
  const key = keyStdin ? { key: (await terminal.readInput()).trim() } : {};
  const path = contextFilePath(environment);
  const all = readContexts(path);
  writeContexts(path, { ...all, contexts: { ...all.contexts, [name]: { url, ...key, ...filesOf(flags) } } });
  if (json) terminal.json({ name, url });
  else
    terminal.print(
      `context ${name} is ${url}; choose it with --context ${name} or davit context use ${name}`,
    );
}

async function deleteContext(
  { terminal, environment, json }: Run,
  _options: object,
  name: string,
): Promise<void> {
  const path = contextFilePath(environment);
  const { current, contexts } = readContexts(path);
  contextNamed(name, { current, contexts });
  const { [name]: _, ...kept } = contexts;
  writeContexts(path, { current: current === name ? null : current, contexts: kept });
  if (json) terminal.json({ deleted: name });
  else terminal.print(`context ${name} is forgotten`);
}

/** The files that the flags name, by absolute paths: a context is used from anywhere. */
function filesOf({ keyFile, caFile, certFile, certKeyFile }: CommonFlags): Partial<Context> {
  const files = { key_file: keyFile, ca_file: caFile, cert_file: certFile, cert_key_file: certKeyFile };
  const given = Object.entries(files).filter(([, file]) => file !== undefined);
  return Object.fromEntries(given.map(([field, file]) => [field, resolve(String(file))]));
}
