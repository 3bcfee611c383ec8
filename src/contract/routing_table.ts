import { z } from 'zod';
import { routing } from './balancing.ts';
import { action, match, tags } from './rules.ts';
import { serviceId } from './scalars.ts';

const milliseconds = z.int().min(0);
/** Milliseconds since the epoch. */
const moment = z.int().min(0);

/** An instance that can be reached. */
const tableInstance = z.strictObject({
  /** Of this very process; never used again. */
  id: z.string().min(1).max(100),
  number: z.int().min(1),
  release: z.int().min(1),
  host: z.string().max(253),
  port: z.int().min(1).max(65_535),
  /** Of its spec, with `release:<n>` and `instance:<n>`. */
  tags: tags.max(34),
  /** Since when it takes connections: slow start counts from here. */
  ready_at: moment,
  /** Null: it takes new requests. Else it finishes what it has; WebSocket connections get 1012 from `until` on, spread over `spread`. */
  draining: z.strictObject({ until: moment, spread: milliseconds }).nullable(),
});
export type TableInstance = z.infer<typeof tableInstance>;

const tableService = z.strictObject({
  id: serviceId,
  routing,
  /** How long requests wait while no instance takes any; null: they do not. */
  hold: milliseconds.nullable(),
  /** The share of new requests of each release; one that is not named gets none. Null: all are alike. */
  shares: z.array(z.strictObject({ release: z.int().min(1), weight: z.int().min(0) })).nullable(),
  instances: z.array(tableInstance),
});
export type TableService = z.infer<typeof tableService>;

const tableRule = z.strictObject({ id: z.string().min(1).max(200), match, action });
export type TableRule = z.infer<typeof tableRule>;

const listenerAddress = z.string().max(300);

const certificate = z.strictObject({
  cert_file: z.string().max(4096),
  key_file: z.string().max(4096),
});

/** Which requests routers write down. */
const accessLogSettings = z.strictObject({
  /** The share of requests that is written down whatever becomes of them, from 0 to 1. */
  sample: z.number().min(0).max(1),
  /** Whether those that fail always are. */
  errors: z.boolean(),
  /** Those that take at least so long always are; null: none for that. */
  slow: milliseconds.nullable(),
  client_address: z.enum(['full', 'truncated', 'none']),
});
export type AccessLogSettings = z.infer<typeof accessLogSettings>;

export const traceMode = z.enum(['carry', 'start', 'start_sampled']);
export type TraceMode = z.infer<typeof traceMode>;

/** Where routers listen and what they let through. */
export const routerSettings = z.strictObject({
  listeners: z.array(
    z.strictObject({
      /** `host:port`. */
      address: listenerAddress,
      tls: z.boolean(),
      /** Whether each connection begins with a PROXY protocol header (version 1 or 2). */
      proxy_protocol: z.boolean(),
    }),
  ),
  /** The first is for clients that name no host, or another one; the names are those of the certificates. */
  certificates: z.array(certificate),
  min_version: z.enum(['TLSv1.2', 'TLSv1.3']),
  /** Networks whose X-Forwarded-* is believed. */
  trusted_proxies: z.array(z.string()),
  /** How long a router that ends lets requests and connections finish. */
  drain_timeout: milliseconds,
  limits: z.strictObject({
    /** Bytes of the head of a request. */
    header_size: z.int(),
    header_timeout: milliseconds,
    /** How long a connection may rest between two requests. */
    idle_timeout: milliseconds,
    /** Between two parts of the body of a request. */
    body_timeout: milliseconds,
    /** Bytes; null: any. */
    body_size: z.int().nullable(),
    connections: z.int(),
    connections_per_address: z.int(),
    /** How many requests wait at most of a service that holds them. */
    held_requests: z.int(),
  }),
  /** Null: nothing is written down. Left out by agents that do not know it yet. */
  access_log: accessLogSettings.nullable().optional(),
  /** What becomes of requests that name no trace. Left out by agents that do not know it yet: `carry`. */
  trace: traceMode.optional(),
});
export type RouterSettings = z.infer<typeof routerSettings>;

/** Everything that a router acts by: a whole snapshot. */
export const routingTable = z.strictObject({
  format: z.literal(1),
  /** The agent that made it, by when that was started: a later one counts more, whatever the version. */
  epoch: z.int(),
  /** Rises with each snapshot of one agent. */
  version: z.int(),
  settings: routerSettings,
  /** Signs the cookies of affinity; as hexadecimal digits. */
  affinity_key: z.string().regex(/^[0-9a-f]{64}$/),
  services: z.array(tableService),
  /** Only those that are enabled, the first that fits decides. */
  rules: z.array(tableRule),
});
export type RoutingTable = z.infer<typeof routingTable>;
