import { z } from 'zod';
import { signalName } from './scalars.ts';
import { absolutePath, command } from './text.ts';

export const configName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'must be letters, digits, dot, underscore and hyphen');

/** A configuration file of a service that the agent may read and replace. */
export const configFile = z.strictObject({
  name: configName.describe('By what it is called in the API.'),
  path: absolutePath.describe('Where it is.'),
  mode: z
    .string()
    .regex(/^0?[0-7]{3}$/, 'must be three octal digits, such as 640')
    .default('640')
    .describe('Its permissions.'),
  validate: command
    .nullable()
    .default(null)
    .describe(
      `A command that must end with 0 before the file is replaced. \`\${FILE}\` is the new content; it runs as the service does. null: none.`,
    ),
  reload: z
    .enum(['restart', 'signal', 'none'])
    .default('restart')
    .describe('What is done with the service once the file was replaced.'),
  signal: signalName.default('SIGHUP').describe('The signal for `reload: signal`.'),
});
export type ConfigFile = z.infer<typeof configFile>;

export const configFiles = z
  .array(configFile)
  .max(100)
  .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, 'must not name a file twice')
  .refine((all) => new Set(all.map(({ path }) => path)).size === all.length, 'must not hold a path twice');
