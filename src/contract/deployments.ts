import { z } from 'zod';
import { uploadQuery } from './artifacts.ts';
import { flag, wholeNumber } from './query.ts';
import { serviceId, time } from './scalars.ts';

/**
 * `waiting`: for its turn; `running`: instances are replaced; `baking`: the new release is compared with the old one;
 * `failed`: what served before still does, or does again.
 */
export const deploymentStatus = z
  .enum(['waiting', 'running', 'baking', 'succeeded', 'failed', 'cancelled', 'superseded'])
  .meta({ id: 'DeploymentStatus' });
export type DeploymentStatus = z.infer<typeof deploymentStatus>;

/** One attempt to make a release the current one. */
export const deployment = z
  .object({
    id: z.int().describe('Rises with each deployment of this agent.'),
    service: serviceId,
    status: deploymentStatus,
    release: z.int().nullable().describe('null: it has none yet, as it waits.'),
    previous_release: z.int().nullable().describe('What ran before; null: nothing did.'),
    strategy: z.enum(['rolling', 'blue_green', 'canary', 'recreate']).nullable(),
    actor: z.string(),
    steps: z
      .array(z.object({ time, message: z.string() }))
      .describe('What it did, oldest first; each is an event, too.'),
    cause: z.string().nullable().describe('Why it failed, or was ended.'),
    code: z.string().optional().describe('Of what failed, as errors name it, such as `release_worse`.'),
    created_at: time,
    started_at: time.nullable(),
    ended_at: time.nullable(),
  })
  .meta({ id: 'Deployment' });
export type Deployment = z.infer<typeof deployment>;

export const deploymentList = z.object({ deployments: z.array(deployment) }).meta({ id: 'DeploymentList' });

export const deploymentPath = z.strictObject({
  id: serviceId,
  deployment: z.string().regex(/^[1-9]\d{0,14}$/, 'must be the number of a deployment'),
});

export const deploymentsQuery = z.strictObject({
  limit: wholeNumber(1, 200).optional().describe('Default 20, the newest; 200 of each service are kept.'),
});

export const deployQuery = z.strictObject({
  supersede: flag
    .optional()
    .describe('Whether deployments of the service that wait for their turn are not wanted any more.'),
  ...uploadQuery.shape,
});
