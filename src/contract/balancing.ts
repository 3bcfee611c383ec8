import { z } from 'zod';
import { duration } from './scalars.ts';

export const strategyNames = [
  'round_robin',
  'weighted_round_robin',
  'least_connections',
  'random_of_two',
  'consistent_hash',
  'tag_match',
] as const;
export const strategyName = z.enum(strategyNames);
export type StrategyName = z.infer<typeof strategyName>;

const partName = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[A-Za-z0-9_.-]+$/, 'must be letters, digits, dot, underscore or hyphen');

/** How the router chooses among the instances of a service, and what it does when one fails. */
export const routing = z.strictObject({
  strategy: strategyName.default('round_robin').describe('Which instance gets a request.'),
  weights: z
    .record(
      z.string().regex(/^[1-9]\d{0,2}$/, 'must be the number of an instance'),
      z.int().min(0).max(1_000),
    )
    .default({})
    .describe('`weighted_round_robin`: the weight of an instance by its number. Left out: 1.'),
  hash_by: z
    .strictObject({
      source: z.enum(['address', 'header', 'cookie', 'query', 'path']).default('address'),
      name: partName.nullable().default(null).describe('Of the header, cookie or parameter.'),
    })
    .prefault({})
    .describe('`consistent_hash`: what of a request leads to always the same instance.'),
  load_factor: z
    .number()
    .min(1.05)
    .max(10)
    .default(1.25)
    .describe(
      '`consistent_hash`: how many times the average load an instance may have before the next one is taken.',
    ),
  affinity: z
    .strictObject({
      by: z.enum(['cookie', 'header', 'address']),
      name: partName
        .default('davit_instance')
        .describe('Of the cookie that the router sets and signs, or of the header that the client sends.'),
    })
    .nullable()
    .default(null)
    .describe('What keeps a client with its instance for as long as that takes connections. null: nothing.'),
  slow_start: duration
    .default('0s')
    .describe('The time in which the share of an instance that has just become ready rises to the full one.'),
  outliers: z
    .strictObject({
      consecutive_failures: z
        .int()
        .min(0)
        .max(10_000)
        .default(5)
        .describe('So many failed connections or answers with 5xx in a row take an instance out. 0: never.'),
      base_time: duration
        .default('5s')
        .describe('For how long, times how often it has been taken out lately.'),
      max_time: duration.default('5m').describe('The longest time.'),
      max_percent: z
        .int()
        .min(0)
        .max(100)
        .default(50)
        .describe('The share of the instances that may be out at the same time.'),
    })
    .prefault({}),
  circuit_breaker: z
    .strictObject({
      max_requests: z
        .int()
        .min(1)
        .max(1_000_000)
        .nullable()
        .default(null)
        .describe('How many requests and connections an instance has at the same time. null: any number.'),
    })
    .prefault({}),
  retries: z
    .strictObject({
      attempts: z
        .int()
        .min(0)
        .max(10)
        .default(2)
        .describe('How often a request is tried again at another instance, where that is safe.'),
      budget_percent: z
        .int()
        .min(0)
        .max(100)
        .default(20)
        .describe('Retries are at most this share of the requests, beyond a few per second.'),
    })
    .prefault({}),
  connect_timeout: duration.default('3s').describe('How long an instance may take to accept a connection.'),
  response_timeout: duration
    .default('60s')
    .describe('How long an instance may take until its answer begins, and between two parts of it.'),
  idle_timeout: duration
    .nullable()
    .default(null)
    .describe('After what time without a byte a WebSocket connection is closed. null: never.'),
});
export type Routing = z.infer<typeof routing>;
