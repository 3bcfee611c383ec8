import { z } from 'zod';
import { flag, moment, wholeNumber } from './query.ts';
import { logLevel, serviceId, time } from './scalars.ts';

const cursor = z
  .string()
  .max(12_000)
  .regex(/^[\d._]+$/, 'must be a cursor that came with a line of this log');

export const logsQuery = z.strictObject({
  lines: wholeNumber(0, 10_000)
    .optional()
    .describe('How many lines: the last ones, or with `after` the first ones. Default 100.'),
  stream: z.enum(['stdout', 'stderr']).optional().describe('Default: both.'),
  since: moment.optional(),
  until: moment.optional(),
  grep: z
    .string()
    .min(1)
    .max(1000)
    .optional()
    .describe('A regular expression (RE2: linear time) that a line must match.'),
  level: logLevel.optional().describe('The least level; a line that names none counts as info.'),
  release: wholeNumber(1, 1e9).optional().describe('Only what this release wrote.'),
  instance: wholeNumber(1, 1e6).optional().describe('Only what this instance wrote.'),
  after: cursor.optional().describe('Only after this cursor, the first ones. Not with `before`.'),
  before: cursor.optional().describe('Only before this cursor, the last ones. Not with `follow`.'),
  follow: flag.optional().describe('Stay and send what comes, as server-sent events. Not with `until`.'),
});
export type LogsQuery = z.infer<typeof logsQuery>;

export const logLine = z
  .object({
    time: time.describe(
      'When it was seen; a line that was written while no agent ran has the time of the next start.',
    ),
    stream: z.enum(['stdout', 'stderr']),
    line: z.string(),
    level: logLevel.nullable(),
    release: z.int(),
    instance: z.int(),
    cursor: z.string().describe('The place after this line, for `after`, `before` and Last-Event-ID.'),
    continues: z
      .literal(true)
      .optional()
      .describe('The line goes on in the next one: it is very long, or not finished yet.'),
  })
  .meta({ id: 'LogLine' });
export type LogLine = z.infer<typeof logLine>;

/** What retention, or the slowness of its reader, took out of what was read. */
export const skippedOutput = z
  .object({
    bytes: z.int().nullable().describe('null: not known.'),
    cursor: z.string().describe('Where reading went on.'),
  })
  .meta({ id: 'SkippedOutput' });
export type SkippedOutput = z.infer<typeof skippedOutput>;

export const logPage = z
  .object({
    service: serviceId,
    lines: z.array(logLine),
    truncated: z
      .boolean()
      .describe('There may be more: before these lines, or after them where `after` was given.'),
    before: z.string().describe('The cursor for `before` that gives the page before this one.'),
    after: z.string().describe('The cursor for `after` that gives the page after this one.'),
    skipped: skippedOutput
      .optional()
      .describe('What lay after the cursor that was given and is not kept any more.'),
  })
  .meta({ id: 'LogPage' });
export type LogPage = z.infer<typeof logPage>;
