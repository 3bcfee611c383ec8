import { z } from 'zod';
import { duration, signalName, size } from './scalars.ts';

const holdsNoNul = (text: string): boolean => !text.includes('\0');

const absolutePath = z
  .string()
  .max(4096)
  .regex(/^(\/|[A-Za-z]:[\\/])/, 'must be an absolute path')
  .refine(holdsNoNul, 'must not hold a NUL character')
  .meta({ examples: ['/opt/web'] });

const argument = z.string().max(131_072).refine(holdsNoNul, 'must not hold a NUL character');

/** A string runs in a shell, a list runs as it stands. */
export const command = z
  .union([
    argument.regex(/\S/, 'must not be empty'),
    z.tuple([argument.min(1)], argument).refine((list) => list.length <= 4096),
  ])
  .meta({ id: 'Command', examples: ['node server.js', ['node', 'server.js']] });
export type Command = z.infer<typeof command>;

const environmentName = z
  .string()
  .max(256)
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be letters, digits and underscores, and not start with a digit');

/** What stands in an answer in place of a value of `env`. */
export const hiddenValue = '***';

const environmentValue = argument.refine((value) => value !== hiddenValue, {
  message: `"${hiddenValue}" is what answers show in place of a value; leave the variable out to keep its value`,
});

const account = z
  .union([
    z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}\$?$/, 'must be the name of an account'),
    z.int().min(0).max(4_294_967_294),
  ])
  .nullable();

const environmentFiles = z.union([absolutePath, z.array(absolutePath).max(16)]);

/** The fields of a spec and what each may hold; their defaults stand in `spec`, and nowhere else. */
const fields = {
  command: command.describe(
    'A string runs as `/bin/sh -c` (`cmd.exe` on Windows); a list runs without a shell.',
  ),
  cwd: absolutePath.describe('The working directory.'),
  env: z
    .record(environmentName, environmentValue)
    .refine((env) => Object.keys(env).length <= 1024, 'must not hold more than 1024 variables')
    .describe('Environment variables. Their values are never shown again and never logged.'),
  env_file: environmentFiles.describe(
    'One file or a list of files of KEY=value lines, read at each start; later ones win, and `env` wins over all.',
  ),
  user: account.describe('Name or number to run as; only root may set another. null: as the agent.'),
  group: account.describe("Name or number. null: the user's own group."),
  min_uptime: duration.describe(
    'A process that ends sooner fails the deploy. `0s` answers as soon as the process has been started.',
  ),
};
const stopFields = {
  signal: signalName.describe('The signal that asks the service to end.'),
  timeout: duration.describe('How long it may take before SIGKILL.'),
};
const logsFields = {
  max_size: size.describe(
    'How much output is kept on disk, both streams and all runs together; the oldest goes first.',
  ),
  max_age: duration.nullable().describe('What was written longer ago goes. null: age does not matter.'),
  max_releases: z
    .int()
    .min(1)
    .max(1e6)
    .nullable()
    .describe('Of how many releases output is kept, those that were started last. null: of all.'),
  compress: z.boolean().describe('Whether the output of a run is compressed (zstd) once it has ended.'),
};

/** What a service is, with every default filled in. */
export const spec = z
  .strictObject({
    command: fields.command,
    cwd: fields.cwd.default('/'),
    env: fields.env.default({}),
    env_file: fields.env_file.default([]),
    user: fields.user.default(null),
    group: fields.group.default(null),
    stop: z
      .strictObject({
        signal: stopFields.signal.default('SIGTERM'),
        timeout: stopFields.timeout.default('5s'),
      })
      .prefault({}),
    min_uptime: fields.min_uptime.default('1s'),
    logs: z
      .strictObject({
        max_size: logsFields.max_size.default('256MB'),
        max_age: logsFields.max_age.default(null),
        max_releases: logsFields.max_releases.default(null),
        compress: logsFields.compress.default(true),
      })
      .prefault({}),
  })
  .meta({ id: 'Spec' });
export type Spec = z.infer<typeof spec>;

/** A spec as it is shown: each value of `env` hidden. */
export const shownSpec = spec
  .extend({ env: z.record(environmentName, z.literal(hiddenValue)) })
  .meta({ id: 'ShownSpec' });
export type ShownSpec = z.infer<typeof shownSpec>;

/**
 * A change of a spec, as a JSON merge patch (RFC 7396): a field left out keeps its value,
 * null sets it back to its default, and objects are merged key by key.
 */
export const specPatch = z
  .strictObject({
    command: fields.command.optional(),
    cwd: fields.cwd.nullish(),
    env: z
      .record(environmentName, environmentValue.nullable())
      .nullish()
      .describe(fields.env.description ?? ''),
    env_file: fields.env_file.nullish(),
    user: fields.user.nullish(),
    group: fields.group.nullish(),
    stop: z
      .strictObject({ signal: stopFields.signal.nullish(), timeout: stopFields.timeout.nullish() })
      .nullish(),
    min_uptime: fields.min_uptime.nullish(),
    logs: z
      .strictObject({
        max_size: logsFields.max_size.nullish(),
        max_age: logsFields.max_age.nullish(),
        max_releases: logsFields.max_releases.nullish(),
        compress: logsFields.compress.nullish(),
      })
      .nullish(),
  })
  .meta({ id: 'SpecPatch' });
export type SpecPatch = z.infer<typeof specPatch>;
