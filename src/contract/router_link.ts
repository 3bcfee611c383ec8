import { z } from 'zod';
import { connection, connectionFilter, instanceTraffic } from './connections.ts';
import { routingTable } from './routing_table.ts';

/**
 * What agent and router tell each other over the unix socket of the agent: JSON, one message a line. The router connects, says
 * hello, and gets the table; it comes back by itself when the agent is gone and there again.
 */
export const fromRouter = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('hello'),
    /** Unique among the routers of this agent and short: connections are named by it. */
    router: z.string().max(64),
    pid: z.int(),
    /** Of davit. */
    version: z.string(),
    /** The table that it has; null: none yet. */
    table: z.object({ epoch: z.int(), version: z.int() }).nullable(),
  }),
  /** New requests go by this table from now on. */
  z.object({ type: z.literal('applied'), epoch: z.int(), version: z.int() }),
  z.object({ type: z.literal('refused'), epoch: z.int(), version: z.int(), message: z.string() }),
  /** Once a second, and at once when an instance that drains has nothing open any more: all that has changed since the last one, as totals since it began. */
  z.object({
    type: z.literal('facts'),
    instances: z.array(instanceTraffic),
    /** Of the router as a whole. */
    connections: z.int(),
    /** Those that were let in since it began; one of an earlier version does not tell. */
    connections_total: z.int().default(0),
    /** Requests that no rule fits, or for which no instance was there. */
    unroutable: z.int(),
    refused: z.int(),
    problems: z.array(z.string()),
  }),
  z.object({
    type: z.literal('connections'),
    query: z.int(),
    connections: z.array(connection),
    total: z.int(),
  }),
  z.object({ type: z.literal('closed'), query: z.int(), count: z.int() }),
]);
export type FromRouter = z.infer<typeof fromRouter>;

export const toRouter = z.discriminatedUnion('type', [
  z.object({ type: z.literal('table'), table: routingTable }),
  z.object({ type: z.literal('list'), query: z.int(), filter: connectionFilter, limit: z.int() }),
  z.object({ type: z.literal('close'), query: z.int(), filter: connectionFilter }),
]);
export type ToRouter = z.infer<typeof toRouter>;
