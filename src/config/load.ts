import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { defaultDataDirectory } from '../lib/data_directory.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { validate } from '../lib/validation.ts';
import { type Config, configSchema } from './schema.ts';

/** What the command line sets; it wins over everything else. */
export interface ConfigFlags {
  readonly config?: string;
  readonly listen?: string;
  readonly data?: string;
  readonly log_level?: string;
  readonly stop_services?: boolean;
}

const defaultFile = '/etc/davit/davit.yaml';
/** Settings that an environment variable can carry; the others are structures and belong in the file. */
const variables = {
  DAVIT_LISTEN: 'listen',
  DAVIT_DATA: 'data',
  DAVIT_LOG_LEVEL: 'log_level',
  DAVIT_CGROUPS: 'cgroups',
} as const;

/**
 * The configuration: flags over environment over file over defaults.
 * Throws `invalid_request` naming the file, the setting and what would be right.
 */
export function loadConfig(flags: ConfigFlags, environment: NodeJS.ProcessEnv): Config {
  const file = configFile(flags, environment);
  const fromFile = file === undefined ? {} : readFile(file);
  const { config: _, ...fromFlags } = flags;
  const merged = { ...fromFile, ...fromEnvironment(environment), ...withoutUndefined(fromFlags) };
  const data =
    typeof merged['data'] === 'string'
      ? resolve(merged['data'])
      : (merged['data'] ?? defaultDataDirectory(environment));
  return validate(configSchema, { ...merged, data }, file ?? 'the configuration');
}

/** The file that the configuration is read from; undefined: there is none. */
export function configFile(flags: ConfigFlags, environment: NodeJS.ProcessEnv): string | undefined {
  return flags.config ?? environment['DAVIT_CONFIG'] ?? (existsSync(defaultFile) ? defaultFile : undefined);
}

function readFile(file: string): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new DavitError('invalid_request', `the configuration cannot be read: ${errorMessage(cause)}`, {
      cause,
    });
  }
  const document = parseDocument(text, { prettyErrors: true });
  const [fault] = document.errors;
  // What follows the first line is the text around it, which is not for everybody who may read events.
  const [what] = fault?.message.split('\n') ?? [];
  if (what !== undefined) throw new DavitError('invalid_request', `${file}: ${what.replace(/:$/, '')}`);
  const value: unknown = document.toJS() ?? {};
  if (typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new DavitError('invalid_request', `${file}: must hold settings such as "listen: 127.0.0.1:8888"`);
}

function fromEnvironment(environment: NodeJS.ProcessEnv): Record<string, unknown> {
  const set = Object.entries(variables).map(([variable, setting]) => [
    setting,
    environment[variable] || undefined,
  ]);
  const stop = environment['DAVIT_STOP_SERVICES'];
  return withoutUndefined({
    ...Object.fromEntries(set),
    stop_services: stop === undefined ? undefined : flagValue(stop),
  });
}

/** An environment variable's true or false; anything else is left for the schema to refuse. */
function flagValue(text: string): boolean | string {
  if (text === 'true' || text === '1') return true;
  return text === 'false' || text === '0' || text === '' ? false : text;
}

function withoutUndefined(settings: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}
