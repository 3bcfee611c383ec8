import { z } from 'zod';
import { logLevel, time } from './scalars.ts';

export const health = z.object({ status: z.literal('ok'), message: z.string() }).meta({ id: 'Health' });

export const agentInformation = z
  .object({
    version: z.string(),
    commit: z.string(),
    node: z.string(),
    platform: z.string(),
    hostname: z.string(),
    pid: z.int(),
    started_at: time,
    listen: z.string(),
    data: z.string(),
    config_file: z
      .string()
      .nullable()
      .describe('The configuration file that it was started with; null: none.'),
    log_level: logLevel,
    memory: z.object({ resident_bytes: z.int() }),
    services: z.object({ total: z.int(), running: z.int() }).describe('Those that may be read.'),
    control_groups: z
      .object({ used: z.boolean(), reason: z.string().nullable().describe('Why not; null: they are used.') })
      .describe('Whether each instance has a control group of its own.'),
    warnings: z
      .array(z.string())
      .describe(
        'What is missing, such as the rights of root, was mended at start, such as a state file set aside, or is left over.',
      ),
  })
  .meta({ id: 'AgentInformation' });
export type AgentInformation = z.infer<typeof agentInformation>;

export const logLevelSetting = z.strictObject({ log_level: logLevel }).meta({ id: 'LogLevelSetting' });
