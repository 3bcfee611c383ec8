import { z } from 'zod';
import { type EventType, eventTypes } from './answers.ts';
import { actor } from './audit.ts';
import { probeKind } from './health.ts';
import { flag, moment, wholeNumber } from './query.ts';
import {
  duration,
  instanceIdPattern,
  logLevel,
  scope,
  scopes,
  serviceGlob,
  serviceId,
  signalName,
} from './scalars.ts';
import { command, specFields, specPatch } from './spec.ts';

export const servicePath = z.strictObject({ id: serviceId });
export const releasePath = z.strictObject({ id: serviceId, release: wholeNumber(1, 1e9) });
export const keyPath = z.strictObject({
  key_id: z.string().regex(/^[a-z0-9]{1,32}$/, 'must be the id of a key'),
});
export const instancePath = z.strictObject({ id: serviceId, instance: wholeNumber(1, 200) });
export const orphanPath = z.strictObject({
  instance_id: z
    .string()
    .regex(instanceIdPattern, 'must be the id of an instance, as listed with the orphans'),
});

export const createService = z.strictObject({ id: serviceId, ...specFields }).meta({ id: 'CreateService' });
export const deployService = specPatch.meta({ id: 'DeployService' });
export const updateService = specPatch.meta({ id: 'UpdateService' });
export const restartService = z.strictObject({ command: command.optional() }).meta({ id: 'RestartService' });
export const signalService = z.strictObject({ signal: signalName }).meta({ id: 'SignalService' });
export const rollbackService = z
  .strictObject({
    release: z.int().min(1).optional().describe('Default: the last good release before the current one.'),
  })
  .meta({ id: 'RollbackService' });
export const scaleService = z
  .strictObject({ instances: z.int().min(1).max(200).describe('How many are to run from now on.') })
  .meta({ id: 'ScaleService' });
export const emptyBody = z.strictObject({}).meta({ id: 'Empty' });

const target = { service: serviceId };
export const batchOperation = z
  .discriminatedUnion('operation', [
    z.strictObject({ operation: z.literal('deploy'), ...target, body: deployService }),
    z.strictObject({ operation: z.literal('start'), ...target }),
    z.strictObject({ operation: z.literal('stop'), ...target }),
    z.strictObject({ operation: z.literal('restart'), ...target, body: restartService.optional() }),
    z.strictObject({ operation: z.literal('rollback'), ...target, body: rollbackService.optional() }),
    z.strictObject({ operation: z.literal('delete'), ...target }),
    z.strictObject({ operation: z.literal('signal'), ...target, body: signalService }),
    z.strictObject({ operation: z.literal('pause'), ...target }),
    z.strictObject({ operation: z.literal('resume'), ...target }),
    z.strictObject({ operation: z.literal('scale'), ...target, body: scaleService }),
  ])
  .meta({ id: 'BatchOperation' });
export type BatchOperation = z.infer<typeof batchOperation>;

export const batch = z
  .strictObject({ operations: z.array(batchOperation).min(1).max(1000) })
  .meta({ id: 'Batch' });

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

/** The types of events that a word means: that type, or all of `deployment.*`. */
export function eventTypesOf(word: string): EventType[] {
  return eventTypes.filter(
    (type) => type === word || (word.endsWith('.*') && type.startsWith(word.slice(0, -1))),
  );
}

const eventTypeList = z
  .string()
  .max(2_000)
  .refine(
    (text) => text.split(',').every((word) => eventTypesOf(word).length > 0),
    'must be types of events with commas between them, such as service.exited,deployment.*',
  )
  .describe('One type, or several with commas between them; `deployment.*` means all of that subject.');

export const eventsQuery = z.strictObject({
  after: wholeNumber(0, 1e15).optional().describe('Only events with a greater id.'),
  before: wholeNumber(1, 1e15)
    .optional()
    .describe('Only events with a smaller id, the newest of them: the page before. Not with `follow`.'),
  since: moment.optional(),
  until: moment.optional().describe('Not with `follow`.'),
  service: serviceId.optional(),
  type: eventTypeList.optional(),
  actor: actor
    .optional()
    .describe('Only what was done for this actor; `any`: for anyone, so not what happened by itself.'),
  limit: wholeNumber(1, 1000).optional().describe('Default 100, the newest.'),
  follow: flag.optional(),
});
export type EventsQuery = z.infer<typeof eventsQuery>;

export const runsQuery = z.strictObject({
  limit: wholeNumber(1, 200).optional().describe('Default 50, the newest; 200 of each service are kept.'),
});

export const healthQuery = z.strictObject({
  instance: wholeNumber(1, 1000).optional().describe('Only of this instance.'),
  kind: probeKind.optional().describe('Default: both.'),
  since: moment.optional(),
  until: moment.optional(),
  limit: wholeNumber(1, 5000).optional().describe('Default 100, the newest; 5000 of each service are kept.'),
});

export const whyQuery = z.strictObject({
  instance: wholeNumber(1, 1000).optional().describe('Only what led to the state of this instance.'),
  limit: wholeNumber(1, 100).optional().describe('How many events at most, the newest. Default 40.'),
  lines: wholeNumber(0, 100).optional().describe('How many of its last log lines. Default 10.'),
});

export const createKey = z
  .strictObject({
    name: z.string().min(1).max(100).describe('Who or what uses it.'),
    scopes: z.array(scope).min(1).max(scopes.length),
    services: z.array(serviceGlob).min(1).max(100).nullable().default(null).describe('null: every service.'),
    expires_in: duration.nullable().default(null).describe('null: never.'),
  })
  .meta({ id: 'CreateKey' });
