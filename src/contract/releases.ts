import { z } from 'zod';
import { wholeNumber } from './query.ts';
import { serviceId, time } from './scalars.ts';
import { shownSpec } from './spec.ts';

const releaseReasons = ['create', 'update', 'deploy', 'restart'] as const;

export const release = z
  .object({
    release: z.int(),
    spec: shownSpec,
    reason: z.enum(releaseReasons),
    outcome: z.enum(['pending', 'succeeded', 'failed']).describe('`pending`: never started yet.'),
    cause: z.string().nullable().describe('Why it failed.'),
    created_at: time,
    created_by: z.string(),
    current: z.boolean(),
  })
  .meta({ id: 'Release' });
export type Release = z.infer<typeof release>;

export const releaseList = z.object({ releases: z.array(release) }).meta({ id: 'ReleaseList' });
export type ReleaseList = z.infer<typeof releaseList>;

export const releasePath = z.strictObject({ id: serviceId, release: wholeNumber(1, 1e9) });
export const rollbackService = z
  .strictObject({
    release: z.int().min(1).optional().describe('Default: the last good release before the current one.'),
  })
  .meta({ id: 'RollbackService' });
