import { z } from 'zod';
import { actor } from './audit.ts';
import { flag, moment, wholeNumber } from './query.ts';
import { serviceId, time } from './scalars.ts';

/** Every kind of event; `subject.verb`. */
export const eventTypes = [
  'agent.started',
  'agent.stopping',
  'agent.configuration_reloaded',
  'agent.configuration_refused',
  'agent.state_set_aside',
  'service.created',
  'service.updated',
  'service.deleted',
  'service.starting',
  'service.started',
  'service.start_failed',
  'service.adopted',
  'service.stopping',
  'service.stopped',
  'service.exited',
  'service.completed',
  'service.waiting',
  'service.restarting',
  'service.failed',
  'service.scaled',
  'service.healthy',
  'service.unhealthy',
  'service.ready',
  'service.not_ready',
  'service.paused',
  'service.resumed',
  'service.signalled',
  'service.draining',
  'service.readmitted',
  'deployment.started',
  'deployment.resumed',
  'deployment.progressed',
  'deployment.promoted',
  'deployment.cancelled',
  'deployment.superseded',
  'deployment.succeeded',
  'deployment.failed',
  'config.replaced',
  'config.rolled_back',
  'config.refused',
  'rule.created',
  'rule.updated',
  'rule.deleted',
  'rule.enabled',
  'rule.disabled',
  'connection.closed',
  'key.created',
  'key.revoked',
  'orphan.stopped',
  'alert.firing',
  'alert.resolved',
  'alert_rule.created',
  'alert_rule.updated',
  'alert_rule.deleted',
  'silence.created',
  'silence.ended',
  'notifier.created',
  'notifier.updated',
  'notifier.deleted',
  'declaration.applied',
  'declaration.refused',
  'declaration.removed',
] as const;
export const eventType = z.enum(eventTypes);
export type EventType = z.infer<typeof eventType>;

/** One fact: what happened, when, to whom, and why. */
export const event = z
  .object({
    id: z.int().describe('Rises by one; the cursor for `after` and for Last-Event-ID.'),
    time,
    type: eventType,
    service: serviceId.nullable(),
    release: z.int().nullable(),
    pid: z.int().nullable(),
    instance: z.int().nullable().describe('Which instance of the service; null: the service as a whole.'),
    actor: z.string().nullable().describe('Who asked for it; null: it happened by itself.'),
    cause: z.int().nullable().describe('The id of the event that led to it; null: nothing before it.'),
    trace_id: z.string().nullable().describe('Of the W3C trace in which it came about; null: of none.'),
    message: z.string(),
  })
  .meta({ id: 'Event' });
export type Event = z.infer<typeof event>;

export const eventList = z.object({ events: z.array(event) }).meta({ id: 'EventList' });
export type EventList = z.infer<typeof eventList>;

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
