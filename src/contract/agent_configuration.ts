import { z } from 'zod';

/** One setting of the agent. */
export const setting = z
  .object({
    path: z.string().describe('As in the file, such as `listen` or `metrics.interval`.'),
    value: z.unknown().describe('By which the agent runs. Secrets in it are `[redacted]`.'),
    origin: z.enum(['default', 'file', 'environment', 'flag']),
    source: z
      .string()
      .nullable()
      .describe('The file, the variable or the flag that says it; null: it is the default.'),
    takes_effect: z.enum(['at_once', 'at_restart']).describe('When another value would take effect.'),
    description: z.string().nullable(),
  })
  .meta({ id: 'Setting' });
export type Setting = z.infer<typeof setting>;

export const agentConfiguration = z
  .object({
    file: z.string().nullable().describe('The configuration file; null: there is none.'),
    settings: z.array(setting),
    pending: z
      .array(z.object({ path: z.string(), value: z.unknown() }))
      .describe('What is set otherwise already, and waits for the next start of the agent.'),
    refused: z.string().nullable().describe('Why the file as it is now was not taken over; null: it was.'),
  })
  .meta({ id: 'AgentConfiguration' });
export type AgentConfiguration = z.infer<typeof agentConfiguration>;
