import { z } from 'zod';
import { serviceId, time } from './scalars.ts';

/** A connection of a client that a router has open. */
export const connection = z
  .object({
    id: z.string().describe('Of this agent: `<router>-<number>`.'),
    protocol: z.enum(['http/1.1', 'http/2', 'websocket']),
    client: z.string().describe('The address of the client, behind trusted proxies too.'),
    host: z.string().nullable(),
    path: z.string().nullable().describe('Without the query, which may hold secrets.'),
    service: serviceId.nullable().describe('Of its last request; null: it has made none that went anywhere.'),
    instance: z.int().nullable(),
    release: z.int().nullable(),
    rule: z.string().nullable(),
    active: z.boolean().describe('Whether a request or a WebSocket connection is open on it.'),
    started_at: time,
    last_activity_at: time,
    bytes_in: z.int().describe('From the client.'),
    bytes_out: z.int().describe('To the client.'),
  })
  .meta({ id: 'Connection' });
export type Connection = z.infer<typeof connection>;

/** Which connections are meant; what is left out does not matter. */
export const connectionFilter = z.strictObject({
  ids: z.array(z.string().max(100)).max(1000).optional(),
  service: serviceId.optional(),
  instance: z.int().optional(),
  release: z.int().optional(),
  client: z.string().max(64).optional().describe('An address.'),
  rule: z.string().max(200).optional(),
  protocol: z.enum(['http/1.1', 'http/2', 'websocket']).optional(),
});
export type ConnectionFilter = z.infer<typeof connectionFilter>;

/** What went through the router, since it was first seen. */
const trafficCounts = z.object({
  open_requests: z.int().describe('Requests that wait for their answer, or whose answer is under way.'),
  open_websockets: z.int(),
  requests: z.int(),
  websockets: z.int(),
  by_status: z.array(z.int()).length(5).describe('Answers with 1xx, 2xx, 3xx, 4xx and 5xx.'),
  failures: z.int().describe('Requests that got no answer: no connection, a broken one, or too late.'),
  retries: z.int(),
  bytes_in: z.int().describe('From clients.'),
  bytes_out: z.int().describe('To clients.'),
  latency: z
    .array(z.int())
    .describe('How many answers began within each of `latency_bounds` and, last, later than all of them.'),
});
export type TrafficCounts = z.infer<typeof trafficCounts>;

/** The bounds of the latency histogram, in milliseconds. */
export const latencyBounds = [
  0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000,
] as const;

export const instanceTraffic = trafficCounts.extend({
  service: serviceId,
  instance: z.int(),
  release: z.int(),
  instance_id: z.string(),
  ejected: z.boolean().describe('Whether a router sends it nothing new for now, because it failed.'),
});
export type InstanceTraffic = z.infer<typeof instanceTraffic>;
export { trafficCounts };
