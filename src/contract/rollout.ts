import { z } from 'zod';
import { duration } from './scalars.ts';

const percentage = z
  .string()
  .regex(/^([1-9]\d?|100)%$/, 'must be a number of instances or a percentage such as 25%');

/** How a release replaces what runs of a service. */
export const rollout = z.strictObject({
  strategy: z
    .enum(['rolling', 'blue_green', 'canary', 'recreate'])
    .nullable()
    .default(null)
    .describe(
      '`rolling`: some instances after others; `blue_green`: all beside the old ones, then all connections at once; `canary`: a share of the requests first; `recreate`: the old ones end before the new ones start. null: `rolling` when the service has routes and a port that leaves room for that, `recreate` otherwise.',
    ),
  max_surge: z
    .union([z.int().min(0).max(200), percentage])
    .default('25%')
    .describe(
      '`rolling`: how many instances are started at a time beside those that run; 0: each takes the place and the port of an old one.',
    ),
  ready_timeout: duration
    .default('60s')
    .describe(
      'How long new instances may take until they are ready, and what they depend on until it is there.',
    ),
  drain_timeout: duration
    .default('30s')
    .describe(
      'How long an old instance gets to finish its requests and connections; WebSocket connections are closed with 1012 then.',
    ),
  drain_spread: duration
    .default('5s')
    .describe('The time over which those closes are spread, so that not all clients come back at once.'),
  bake: z
    .union([duration, z.literal('manual')])
    .default('10s')
    .describe(
      'How long the new release is compared with the old one before the deployment has succeeded, where the router sees its requests; of a canary: each step. `manual`: until somebody promotes it or cancels.',
    ),
  tolerance: z
    .strictObject({
      requests: z
        .int()
        .min(1)
        .max(1_000_000)
        .default(20)
        .describe('How many requests the new release must have had before its errors and its latency count.'),
      error_rate: z
        .number()
        .min(0)
        .max(1)
        .default(0.05)
        .describe('By how much the share of failed requests (5xx) may be above that of the old release.'),
      latency: z
        .number()
        .min(1)
        .max(1_000)
        .default(3)
        .describe('How many times as slow as the old release it may be, at the 90th percentile.'),
      restarts: z
        .int()
        .min(0)
        .max(1_000)
        .default(0)
        .describe('How often its instances may end by themselves.'),
    })
    .prefault({})
    .describe('What the new release may do worse during `bake`.'),
  canary: z
    .strictObject({
      weight: z.int().min(1).max(99).default(10).describe('The share of the requests in percent, at first.'),
      steps: z.array(z.int().min(1).max(99)).max(20).default([]).describe('The shares after that.'),
    })
    .prefault({}),
  auto_rollback: z
    .boolean()
    .default(true)
    .describe(
      'Whether what served before is put back when the new release does worse. false: it stays, and the deployment says so.',
    ),
  hold: z
    .boolean()
    .default(false)
    .describe(
      'Whether the router keeps requests waiting while no instance is ready, instead of answering 503.',
    ),
  hold_timeout: duration.default('30s').describe('How long they wait at most.'),
});
export type Rollout = z.infer<typeof rollout>;
