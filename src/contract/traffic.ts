import { z } from 'zod';
import { connection, connectionFilter, instanceTraffic, trafficCounts } from './connections.ts';
import { flag, wholeNumber } from './query.ts';
import { serviceId } from './scalars.ts';

const { service, client, rule, protocol } = connectionFilter.shape;
const selection = {
  service,
  instance: wholeNumber(1, 1e6).optional(),
  release: wholeNumber(1, 1e9).optional(),
  client,
  rule,
  protocol,
};

export const connectionsQuery = z.strictObject({
  ...selection,
  limit: wholeNumber(1, 5_000).optional().describe('Default 1000, the oldest.'),
  follow: flag.optional().describe('Stay and send what changes, once a second, as server-sent events.'),
});

export const connectionId = z
  .string()
  .regex(/^[a-z0-9]{1,64}-\d{1,15}$/, 'must be the id of a connection, as listed');

/** How many connections are named at once: more ids make an address that proxies refuse. */
const mostNamedConnections = 300;

export const closeConnectionsQuery = z.strictObject({
  ids: z
    .string()
    .max(6_000)
    .refine((text) => {
      const ids = text.split(',');
      return ids.length <= mostNamedConnections && ids.every((id) => connectionId.safeParse(id).success);
    }, `must be 1 to ${mostNamedConnections} ids of connections, as listed, with commas between them`)
    .optional()
    .describe(`Only these: 1 to ${mostNamedConnections} ids with commas between them.`),
  ...selection,
  all: flag.optional().describe('Needed where nothing else is named.'),
});

export const connectionPath = z.strictObject({ connection_id: connectionId });

export const connectionList = z
  .object({
    connections: z.array(connection),
    total: z
      .int()
      .describe(
        'How many fit, also beyond `limit`; where the key may not read every service, at most 5000 of each router are looked at.',
      ),
  })
  .meta({ id: 'ConnectionList' });
export type ConnectionList = z.infer<typeof connectionList>;

/** What the stream of connections sends, by the name of the event. */
export const connectionChange = connection.meta({ id: 'ConnectionChange' });

export const closedConnections = z
  .object({
    closed: z.int().describe('How many connections are being closed.'),
    gone: z.array(connectionId).describe('Of those that were named by `ids`, which are not open any more.'),
  })
  .meta({ id: 'ClosedConnections' });
export type ClosedConnections = z.infer<typeof closedConnections>;

export const serviceTraffic = z
  .object({
    service: serviceId,
    total: trafficCounts,
    instances: z.array(instanceTraffic).describe('Those that the service has, and those that ended lately.'),
  })
  .meta({ id: 'ServiceTraffic' });
export type ServiceTraffic = z.infer<typeof serviceTraffic>;

export const traffic = z
  .object({ total: trafficCounts, services: z.array(serviceTraffic) })
  .meta({ id: 'Traffic' });
export type TrafficAnswer = z.infer<typeof traffic>;

export const routerInformation = z
  .object({
    router: z.string(),
    pid: z.int(),
    version: z.string().describe('Of davit.'),
    table: z
      .object({ epoch: z.int(), version: z.int() })
      .nullable()
      .describe('By which it routes; null: none yet.'),
    up_to_date: z.boolean(),
    connections: z.int(),
    unroutable: z.int().describe('Requests that no rule fits, or for which there was no instance.'),
    refused: z.int().describe('Connections and requests beyond a limit.'),
    problems: z.array(z.string()).describe('Empty for a key that may not read every service.'),
  })
  .meta({ id: 'RouterInformation' });
export type RouterInformation = z.infer<typeof routerInformation>;

export const routerList = z
  .object({
    configured: z.boolean().describe('Whether the configuration of the agent has a `router`.'),
    table: z.object({ epoch: z.int(), version: z.int() }).nullable().describe('The newest one.'),
    routers: z.array(routerInformation).describe('Those that are connected.'),
  })
  .meta({ id: 'RouterList' });
export type RouterList = z.infer<typeof routerList>;
