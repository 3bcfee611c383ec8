import { z } from 'zod';
import { duration } from '../contract/scalars.ts';
import { milliseconds } from '../lib/units.ts';

const sessionDuration = (standard: string) =>
  duration
    .default(standard)
    .refine(
      (text) => milliseconds(text) >= 60_000 && milliseconds(text) <= 30 * 86_400_000,
      'must be from 1m to 30d',
    );

/** The setting `console`. */
export const consoleField = z
  .union([
    z.literal(false),
    z.strictObject({
      idle_timeout: sessionDuration('1h').describe('A session that is not used for so long ends.'),
      lifetime: sessionDuration('12h').describe('A session ends after so long, however much it is used.'),
    }),
  ])
  .prefault({})
  .describe('The web console, and who may stay signed in to it how long. false: there is none.');
export type ConsoleConfig = z.output<typeof consoleField>;
