import { z } from 'zod';
import { logLine, logsQuery, skippedOutput } from './logs.ts';
import { serviceGlob, serviceId } from './scalars.ts';

/** How many services may be read at once. */
export const mostMergedServices = 50;
/** How long a cursor over several services may be, in characters. */
export const longestCompositeCursor = 12_000;

const services = z
  .string()
  .max(4_096)
  .refine(
    (text) => text.split(',').every((each) => serviceGlob.safeParse(each).success),
    'must be ids of services with commas between them, in which * stands for any characters',
  )
  .describe(
    `Whose output, with commas between them; * stands for any characters. At most ${mostMergedServices}.`,
  )
  .meta({ examples: ['web,api', 'shop-*'] });

const compositeCursor = z
  .string()
  .max(longestCompositeCursor)
  .regex(/^[\w-]+$/, 'must be a cursor that came with a page of several services');

const { lines, stream, since, until, grep, level, release, instance, follow } = logsQuery.shape;

export const mergedLogsQuery = z.strictObject({
  services,
  lines,
  stream,
  since,
  until,
  grep,
  level,
  release: release.describe('Only what this release of each of them wrote.'),
  instance: instance.describe('Only what this instance of each of them wrote.'),
  after: compositeCursor.optional().describe('Only after this cursor, the first ones. Not with `before`.'),
  before: compositeCursor.optional().describe('Only before this cursor, the last ones. Not with `follow`.'),
  follow,
  download: z
    .enum(['text', 'ndjson'])
    .optional()
    .describe(
      'Send all that fits as a file: lines of text, or one JSON object a line. Not with `lines`, `after`, `before` and `follow`.',
    ),
});
export type MergedLogsQuery = z.infer<typeof mergedLogsQuery>;

/** A line and whose it is. Its cursor is one of that service. */
export const mergedLine = logLine.extend({ service: serviceId }).meta({ id: 'MergedLogLine' });
export type MergedLine = z.infer<typeof mergedLine>;

/** What was taken out of what was read of one service. Its cursor is one of that service. */
export const skippedServiceOutput = skippedOutput
  .extend({ service: serviceId })
  .meta({ id: 'SkippedServiceOutput' });
export type SkippedServiceOutput = z.infer<typeof skippedServiceOutput>;

export const mergedLogPage = z
  .object({
    services: z.array(serviceId).describe('Those that were meant and may be read, by id.'),
    lines: z.array(mergedLine).describe('By time; lines of one service in their own order.'),
    truncated: z
      .boolean()
      .describe('There may be more: before these lines, or after them where `after` was given.'),
    before: z.string().describe('The cursor for `before` that gives the page before this one.'),
    after: z.string().describe('The cursor for `after` that gives the page after this one.'),
    skipped: z
      .array(skippedServiceOutput)
      .optional()
      .describe('What lay after the cursor that was given and is not kept any more.'),
  })
  .meta({ id: 'MergedLogPage' });
export type MergedLogPage = z.infer<typeof mergedLogPage>;

/** Message `lines` of `follow=true`; its id is a cursor over all services. A message `skipped` holds a SkippedServiceOutput. */
export const mergedLines = z.object({ lines: z.array(mergedLine) }).meta({ id: 'MergedLogLines' });
export type MergedLines = z.infer<typeof mergedLines>;
