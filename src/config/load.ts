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
const carried = ['listen', 'data', 'log_level', 'cgroups', 'stop_services'] as const;

/** What was said by whom, before the defaults; what somebody else said too is in both. */
export interface ConfigOrigins {
  /** The file that was read; null: none. */
  readonly file: string | null;
  readonly from_file: Readonly<Record<string, unknown>>;
  readonly from_environment: Readonly<Record<string, unknown>>;
  readonly from_flags: Readonly<Record<string, unknown>>;
}

/** A configuration with every default filled in, and where its settings come from. */
export interface LoadedConfig {
  readonly config: Config;
  readonly origins: ConfigOrigins;
}

/**
 * The configuration: flags over environment over file over defaults.
 * Throws `invalid_request` naming the file, the setting and what would be right.
 */
export function loadConfig(flags: ConfigFlags, environment: NodeJS.ProcessEnv): LoadedConfig {
  const file = configFile(flags, environment);
  const { config: _, ...others } = flags;
  const origins = {
    file: file === undefined ? null : resolve(file),
    from_file: file === undefined ? {} : readFile(file),
    from_environment: fromEnvironment(environment),
    from_flags: withoutUndefined(others),
  };
  const merged = { ...origins.from_file, ...origins.from_environment, ...origins.from_flags };
  const data =
    typeof merged['data'] === 'string'
      ? resolve(merged['data'])
      : (merged['data'] ?? defaultDataDirectory(environment));
  const config = validate(configSchema, { ...merged, data }, file ?? 'the configuration');
  return { config, origins };
}

/** The variable that carries a setting. */
export function variableOf(setting: string): string {
  return `DAVIT_${setting.toUpperCase()}`;
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
  const said = (setting: string) => environment[variableOf(setting)] || undefined;
  const stop = environment[variableOf('stop_services')];
  return withoutUndefined({
    ...Object.fromEntries(carried.map((setting) => [setting, said(setting)])),
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
