import { z } from 'zod';
import { alertList } from './alerts.ts';
import { deployment } from './deployments.ts';
import { event } from './events.ts';
import { wholeNumber } from './query.ts';
import { serviceId } from './scalars.ts';
import { service } from './services.ts';
import { stats } from './stats.ts';

export const liveQuery = z.strictObject({
  after: wholeNumber(0, 1e15)
    .optional()
    .describe(
      'The id of the last event that is known, as Last-Event-ID. Default: only what happens from now on.',
    ),
});

/** Message `service`: a service that has changed, as the list of services shows it. */
export const liveService = z
  .object({ id: serviceId, service: service.nullable().describe('null: it is deleted.') })
  .meta({ id: 'LiveService' });
export type LiveService = z.infer<typeof liveService>;

/** Message `deployment`: one whose steps or status have changed. */
export const liveDeployment = z.object({ service: serviceId, deployment }).meta({ id: 'LiveDeployment' });
export type LiveDeployment = z.infer<typeof liveDeployment>;

/** Message `skipped`: more was missed than can be told; whoever reads loads anew. */
const liveSkipped = z.object({}).meta({ id: 'LiveSkipped' });

/**
 * What the data of a message is: `event`, `service`, `deployment`, `stats`, `alerts` (those that are pending or fire, the
 * newest first, at most 1,000) and `skipped`.
 */
export const liveMessage = z
  .union([event, liveService, liveDeployment, stats, alertList, liveSkipped])
  .meta({ id: 'LiveMessage' });
