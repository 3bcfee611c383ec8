import { z } from 'zod';
import { moment, wholeNumber } from './query.ts';
import { serviceId, time } from './scalars.ts';

export const healthVerdict = z
  .enum(['unknown', 'healthy', 'unhealthy'])
  .describe('`unknown`: not probed yet, or within the start period.')
  .meta({ id: 'HealthVerdict' });
export type HealthVerdict = z.infer<typeof healthVerdict>;

export const probeKind = z.enum(['readiness', 'liveness']);
export type ProbeKind = z.infer<typeof probeKind>;

const milliseconds = z.number().min(0);

const lastProbe = z.object({
  at: time.describe('When it began.'),
  success: z.boolean(),
  message: z.string().describe('What was asked and what came of it.'),
  duration_ms: milliseconds,
});

/** What is thought at present of an instance by one of its probes. */
export const presentHealth = z
  .object({
    instance: z.int(),
    kind: probeKind,
    verdict: healthVerdict,
    since: time,
    last: lastProbe.nullable().describe('The last probe. null: there was none yet.'),
  })
  .meta({ id: 'PresentHealth' });
export type PresentHealth = z.infer<typeof presentHealth>;

/** Probes that follow each other and had the same outcome, a quarter of an hour at most. */
export const probeRun = z
  .object({
    instance: z.int(),
    kind: probeKind,
    success: z.boolean(),
    verdict: healthVerdict.describe('What was thought of the instance with them.'),
    message: z.string().describe('Of the last of them.'),
    first_at: time,
    last_at: time,
    count: z.int().min(1),
    duration_ms: z.object({ shortest: milliseconds, mean: milliseconds, longest: milliseconds }),
  })
  .meta({ id: 'ProbeRun' });
export type ProbeRun = z.infer<typeof probeRun>;

export const serviceHealth = z
  .object({
    service: serviceId,
    present: z.array(presentHealth).describe('Of the instances that run and have a probe.'),
    history: z.array(probeRun).describe('The newest that fit, oldest first.'),
  })
  .meta({ id: 'ServiceHealth' });
export type ServiceHealth = z.infer<typeof serviceHealth>;

export const healthQuery = z.strictObject({
  instance: wholeNumber(1, 1000).optional().describe('Only of this instance.'),
  kind: probeKind.optional().describe('Default: both.'),
  since: moment.optional(),
  until: moment.optional(),
  limit: wholeNumber(1, 5000).optional().describe('Default 100, the newest; 5000 of each service are kept.'),
});
