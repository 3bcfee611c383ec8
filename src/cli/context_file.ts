import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { parseDocument, stringify } from 'yaml';
import { z } from 'zod';
import { homeOf } from '../lib/data_directory.ts';
import { DavitError, errorMessage, systemErrorCode } from '../lib/errors.ts';
import { validate } from '../lib/validation.ts';
import type { Environment } from './terminal.ts';

/** The name that stands for the agent of this host, without any setting; no context can have it. */
export const localContext = 'local';

const file = z.string().min(1);
const context = z.strictObject({
  url: z.string(),
  /** The API key itself, or the file that holds it. */
  key: z.string().optional(),
  key_file: file.optional(),
  /** The certificate of the authority that signed the agent's. */
  ca_file: file.optional(),
  /** Certificate and private key for mutual TLS. */
  cert_file: file.optional(),
  cert_key_file: file.optional(),
});
/** How to reach an agent. Paths in the file count from the file's folder. */
export type Context = z.infer<typeof context>;

const contextName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
    'must be up to 63 letters, digits, dots, underscores and hyphens',
  )
  .refine((name) => name !== localContext, `"${localContext}" stands for the agent of this host`);
const contextFile = z.strictObject({
  current: contextName.nullable().default(null),
  contexts: z.record(contextName, context).default({}),
});
/** The named contexts, and which is used when nobody names one; null: the agent of this host. */
export type Contexts = z.infer<typeof contextFile>;

const pathFields = ['key_file', 'ca_file', 'cert_file', 'cert_key_file'] as const;

/** `$XDG_CONFIG_HOME/davit/config.yaml`, or below `~/.config`. */
export function contextFilePath(environment: Environment): string {
  const configured = environment['XDG_CONFIG_HOME'];
  // The XDG specification: a path that is not absolute is to be ignored.
  const folder = configured && isAbsolute(configured) ? configured : join(homeOf(environment), '.config');
  return join(folder, 'davit', 'config.yaml');
}

/** The contexts of the file, with absolute paths; none when there is no file. Throws `usage` when it is not right. */
export function readContexts(path: string): Contexts {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (systemErrorCode(cause) === 'ENOENT') return { current: null, contexts: {} };
    throw new DavitError('usage', `the contexts cannot be read: ${errorMessage(cause)}`, { cause });
  }
  const document = parseDocument(text);
  const [fault] = document.errors;
  if (fault) throw new DavitError('usage', `${path}: ${fault.message}`);
  const { current, contexts } = validContexts(document.toJS() ?? {}, path);
  const resolved = Object.entries(contexts).map(([name, entry]) => [
    name,
    withPathsFrom(dirname(path), entry),
  ]);
  return { current, contexts: Object.fromEntries(resolved) };
}

/** Replaces the file as a whole, readable by its owner only. Throws `usage` when a name or a field is not right. */
export function writeContexts(path: string, contexts: Contexts): void {
  const text = stringify(validContexts(contexts, 'the contexts'));
  const unfinished = `${path}.${process.pid}`;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  try {
    writeFileSync(unfinished, text, { mode: 0o600, flag: 'wx' });
    renameSync(unfinished, path);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  }
}

/** The context of that name. Throws `context_not_found`. */
export function contextNamed(name: string, { contexts }: Contexts): Context {
  const found = Object.hasOwn(contexts, name) ? contexts[name] : undefined;
  if (found) return found;
  const known = [localContext, ...Object.keys(contexts)].join(', ');
  throw new DavitError('context_not_found', `there is no context "${name}"; there are ${known}`);
}

function validContexts(value: unknown, subject: string): Contexts {
  try {
    return validate(contextFile, value, subject);
  } catch (error) {
    throw new DavitError('usage', errorMessage(error), { cause: error });
  }
}

function withPathsFrom(folder: string, entry: Context): Context {
  const paths = pathFields.flatMap((field) => {
    const value = entry[field];
    return value === undefined ? [] : [[field, resolve(folder, value)]];
  });
  return { ...entry, ...Object.fromEntries(paths) };
}
