import { z } from 'zod';
import { configName } from './config_file.ts';
import { serviceId, signalName, time } from './scalars.ts';

const reloadAction = z.enum(['restart', 'signal', 'none']);
const sha256 = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 as 64 hexadecimal digits in lower case')
  .meta({ examples: ['e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'] });

const versionNumber = z
  .string()
  .regex(/^[1-9]\d{0,8}$/, 'must be the number of a version')
  .describe('The number of a version.');

export const configPath = z.strictObject({ id: serviceId, name: configName });
export const configVersionPath = configPath.extend({ version: versionNumber });

export const diffQuery = z.strictObject({
  from: versionNumber.optional().describe('Default: the newest version.'),
  to: versionNumber.optional().describe('Default: the file as it is.'),
});

export const replaceConfig = z
  .strictObject({
    content: z.string().describe('What the file is to hold, as text.'),
    if_sha256: sha256
      .nullable()
      .optional()
      .describe('Replace it only if it holds this; null: only if there is no such file yet.'),
    reload: reloadAction.optional().describe('Instead of what the spec names.'),
  })
  .meta({ id: 'ReplaceConfig' });

export const rollbackConfig = z
  .strictObject({
    version: z
      .int()
      .min(1)
      .optional()
      .describe('Default: the newest one before the present content that differs from it.'),
    reload: reloadAction.optional().describe('Instead of what the spec names.'),
  })
  .meta({ id: 'RollbackConfig' });

const present = {
  sha256: sha256.nullable(),
  size: z.int().nullable().describe('In bytes.'),
  modified_at: time.nullable(),
  version: z
    .int()
    .nullable()
    .describe('Which version it holds; null: none, as when it was changed by hand and not replaced since.'),
};

/** One configuration file, without its content. */
export const configSummary = z
  .object({
    name: configName,
    path: z.string(),
    mode: z.string().describe('The permissions that it gets.'),
    validated: z.boolean().describe('A command has to accept the content before it is replaced.'),
    reload: reloadAction,
    signal: signalName.nullable().describe('null: no signal is sent.'),
    exists: z.boolean(),
    ...present,
    problem: z.string().nullable().describe('Why it can be neither read nor replaced.'),
  })
  .meta({ id: 'ConfigSummary' });
export type ConfigSummary = z.infer<typeof configSummary>;

export const configList = z
  .object({ service: serviceId, configs: z.array(configSummary) })
  .meta({ id: 'ConfigList' });
export type ConfigList = z.infer<typeof configList>;

export const configContent = z
  .object({ service: serviceId, name: configName, path: z.string(), content: z.string(), ...present })
  .meta({ id: 'ConfigContent' });
export type ConfigContent = z.infer<typeof configContent>;

export const configVersion = z
  .object({
    version: z.int(),
    time: time.describe('When it was written, or found.'),
    actor: z.string().nullable().describe('Who wrote it; null: it was found.'),
    origin: z
      .enum(['written', 'found'])
      .describe('`found`: it was not written through the agent, and was kept before it was replaced.'),
    restored_from: z.int().nullable().describe('The version that a rollback took it from.'),
    sha256,
    size: z.int().describe('In bytes.'),
    current: z.boolean().describe('The file holds it.'),
  })
  .meta({ id: 'ConfigVersion' });
export type ConfigVersion = z.infer<typeof configVersion>;

export const configVersionList = z
  .object({
    service: serviceId,
    name: configName,
    versions: z.array(configVersion).describe('Newest first; the last 20 are kept.'),
  })
  .meta({ id: 'ConfigVersionList' });
export type ConfigVersionList = z.infer<typeof configVersionList>;

export const configVersionContent = configVersion
  .extend({ content: z.string() })
  .meta({ id: 'ConfigVersionContent' });
export type ConfigVersionContent = z.infer<typeof configVersionContent>;

const diffText = z
  .string()
  .nullable()
  .describe('A unified diff, empty where nothing differs; null: they differ too much for one.');

export const configDiff = z
  .object({
    service: serviceId,
    name: configName,
    from: z.int().nullable().describe('A version; null: there is none yet, so nothing.'),
    to: z.int().nullable().describe('A version; null: the file as it is.'),
    diff: diffText,
  })
  .meta({ id: 'ConfigDiff' });
export type ConfigDiff = z.infer<typeof configDiff>;

/** What a replacement did. */
export const configResult = z
  .object({
    status: z
      .enum(['replaced', 'rolled_back', 'unchanged'])
      .describe('`unchanged`: it held this already, so nothing was done.'),
    service: serviceId,
    name: configName,
    path: z.string(),
    version: z.int().nullable(),
    sha256,
    diff: diffText,
    reload: z.object({
      action: reloadAction,
      done: z.boolean(),
      message: z.string().describe('What was done with the service, or why nothing was.'),
    }),
    message: z.string(),
  })
  .meta({ id: 'ConfigResult' });
export type ConfigResult = z.infer<typeof configResult>;
