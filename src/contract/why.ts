import { z } from 'zod';
import { event } from './events.ts';
import { wholeNumber } from './query.ts';
import { logLevel, serviceId, time } from './scalars.ts';
import { serviceState } from './services.ts';

const step = z
  .object({ event, sentence: z.string() })
  .describe('One event, and what it says to people.')
  .meta({ id: 'WhyStep' });
export type WhyStep = z.infer<typeof step>;

/** Why a service is in the state that it is in. */
export const why = z
  .object({
    service: serviceId,
    state: serviceState,
    instance: z.int().nullable().describe('The instance concerned; null: the service as a whole.'),
    release: z.int().describe('The release concerned.'),
    sentence: z.string().describe('How it stands.'),
    chain: z
      .array(step)
      .describe('What led to it, newest first: each event is the cause of the one before it in this list.'),
    chain_ends: z
      .enum(['begin', 'hidden', 'forgotten', 'limit'])
      .describe(
        '`begin`: nothing led to the last of them, or someone asked for it; `hidden`: another service did, which this key may not read; `forgotten`: that event is not kept any more; `limit`: there are more.',
      ),
    before: z.array(step).describe('Changes of its state before these, newest first.'),
    last_lines: z
      .array(
        z.object({
          time,
          stream: z.enum(['stdout', 'stderr']),
          level: logLevel.nullable(),
          line: z.string(),
        }),
      )
      .nullable()
      .describe('The last lines that the instance concerned wrote, oldest first; null: not readable now.'),
  })
  .meta({ id: 'Why' });
export type Why = z.infer<typeof why>;

export const whyQuery = z.strictObject({
  instance: wholeNumber(1, 1000).optional().describe('Only what led to the state of this instance.'),
  limit: wholeNumber(1, 100).optional().describe('How many events at most, the newest. Default 40.'),
  lines: wholeNumber(0, 100).optional().describe('How many of its last log lines. Default 10.'),
});
