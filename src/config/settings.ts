import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { AgentConfiguration, Setting } from '../contract/agent_configuration.ts';
import type { ConfigOrigins, LoadedConfig } from './load.ts';
import { variableOf } from './load.ts';
import { waitsForRestart } from './reload.ts';
import { configSchema } from './schema.ts';
import { withoutSecrets } from './secrets.ts';

/** How the configuration of an agent stands. */
export interface ConfigurationState {
  /** What it was started with: by that it runs where a setting waits for a restart. */
  readonly started: LoadedConfig;
  /** What was taken over last. */
  readonly current: LoadedConfig;
  /** Why what came after it was not taken over; null: nothing did. */
  readonly refused: string | null;
}

/** Every setting as it may be shown to whoever may see them: by its path, where it comes from, without secrets. */
export function describeConfiguration({ started, current, refused }: ConfigurationState): AgentConfiguration {
  const names = Object.keys(configSchema.shape) as Name[];
  return {
    file: current.origins.file,
    settings: names.flatMap((name) => settingsOf(name, waitsForRestart(name) ? started : current)),
    pending: names.filter(waitsForRestart).flatMap((name) => pendingOf(name, started, current)),
    refused,
  };
}

type Name = keyof typeof configSchema.shape;

/** One setting, or where it is a structure, those in it. */
function settingsOf(name: Name, { config, origins }: LoadedConfig): Setting[] {
  const schema = configSchema.shape[name];
  const takes_effect = waitsForRestart(name) ? 'at_restart' : 'at_once';
  const describe = (keys: readonly [string, string?], value: unknown, field: z.core.$ZodType): Setting => ({
    path: keys.join('.'),
    value: withoutSecrets(value ?? null),
    ...originOf(keys, origins),
    takes_effect,
    description: descriptionOf(field),
  });
  const value: unknown = config[name];
  const shape = shapeOf(schema);
  if (!isStructure(value) || shape === null) return [describe([name], value, schema)];
  return Object.entries(shape).map(([key, field]) => describe([name, key], value[key], field));
}

function pendingOf(name: Name, started: LoadedConfig, current: LoadedConfig): AgentConfiguration['pending'] {
  if (isDeepStrictEqual(started.config[name], current.config[name])) return [];
  return settingsOf(name, current).map(({ path, value }) => ({ path, value }));
}

/** Who says a setting; a structure stands in the file alone. */
function originOf(
  [name, key]: readonly [string, string?],
  { file, from_file, from_environment, from_flags }: ConfigOrigins,
): Pick<Setting, 'origin' | 'source'> {
  if (name in from_flags) return { origin: 'flag', source: flagOf(name, from_flags[name]) };
  if (name in from_environment) return { origin: 'environment', source: variableOf(name) };
  const said = from_file[name];
  const isSaid = key === undefined ? name in from_file : isStructure(said) && key in said;
  return isSaid ? { origin: 'file', source: file } : { origin: 'default', source: null };
}

function flagOf(name: string, value: unknown): string {
  return `--${value === false ? 'no-' : ''}${name.replaceAll('_', '-')}`;
}

/** What a schema says of itself; what it is wrapped in to be optional says nothing. */
function descriptionOf(schema: z.core.$ZodType): string | null {
  const { description } = schema as z.ZodType;
  if (description !== undefined) return description;
  const inner = innerOf(schema);
  return inner === null ? null : descriptionOf(inner);
}

/** The fields of a structure, also of one that may be something else instead; null: it is none. */
function shapeOf(schema: z.core.$ZodType): z.core.$ZodShape | null {
  if (schema instanceof z.ZodObject) return schema.shape;
  if (schema instanceof z.ZodUnion) {
    return schema.options.map(shapeOf).find((shape: z.core.$ZodShape | null) => shape !== null) ?? null;
  }
  const inner = innerOf(schema);
  return inner === null ? null : shapeOf(inner);
}

function innerOf(schema: z.core.$ZodType): z.core.$ZodType | null {
  const isWrapper =
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodOptional;
  return isWrapper ? schema.unwrap() : null;
}

function isStructure(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
