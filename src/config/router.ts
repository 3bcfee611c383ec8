import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { type AccessLogSettings, type RouterSettings, traceMode } from '../contract/routing_table.ts';
import { duration, size } from '../contract/scalars.ts';
import { isNetwork } from '../lib/addresses.ts';
import { bytes, milliseconds } from '../lib/units.ts';
import { absoluteFile as file } from './fields.ts';

const listener = z.strictObject({
  address: z
    .string()
    .max(300)
    .regex(
      /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):\d{1,5}$/,
      'must be host:port, such as 0.0.0.0:80 or [::]:443',
    )
    .refine(hasPort, 'its port must be from 1 to 65535')
    .describe('Where it listens.'),
  tls: z.boolean().default(false).describe('Whether clients speak TLS there, by `certificates`.'),
  proxy_protocol: z
    .boolean()
    .default(false)
    .describe('Whether each connection begins with a PROXY protocol header, and is refused without one.'),
});

const limits = z
  .strictObject({
    header_size: sizeOf('16KiB', 1_024, 1_048_576).describe('Of the head of a request.'),
    header_timeout: duration.default('10s').describe('How long the head of a request may take.'),
    idle_timeout: duration.default('60s').describe('How long a connection may rest between two requests.'),
    body_timeout: duration.default('60s').describe('How long may pass between two parts of a body.'),
    body_size: size.nullable().default(null).describe('Of the body of a request. null: any.'),
    connections: z.int().min(1).max(1_000_000).default(20_000).describe('Of clients, in each process.'),
    connections_per_address: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(1_000)
      .describe('Of one address, in each process.'),
    held_requests: z
      .int()
      .min(0)
      .max(1_000_000)
      .default(1_000)
      .describe('How many requests wait at most of a service that holds them.'),
  })
  .prefault({});

const accessLog = z
  .strictObject({
    sample: z
      .number()
      .min(0)
      .max(1)
      .default(1)
      .describe('The share of requests that is written down, from 0 to 1.'),
    errors: z
      .boolean()
      .default(true)
      .describe('Whether those that fail or are answered by 5xx are written down whatever the share.'),
    slow: duration
      .nullable()
      .default(null)
      .describe('Those that take at least so long are written down whatever the share. null: none for that.'),
    client_address: z
      .enum(['full', 'truncated', 'none'])
      .default('full')
      .describe('How much of the address of a client is written. `truncated`: its /24, or /48 of IPv6.'),
  })
  .nullable()
  .default(null)
  .describe('Write requests down, as JSON lines in the output of davit.router. null: none.');

/** The setting `router`: where routers listen and what they let through; null: there is none, and nothing listens. */
export const routerField = z
  .strictObject({
    listeners: z.array(listener).min(1).max(64),
    certificates: z
      .array(z.strictObject({ cert_file: file, key_file: file }))
      .max(1_000)
      .default([])
      .describe('The first is for clients that name no host, or one of which there is no certificate.'),
    min_version: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.2').describe('The least version of TLS.'),
    trusted_proxies: z
      .array(
        z.string().refine(isNetwork, 'must be a network such as 10.0.0.0/8 or 2001:db8::/32, or an address'),
      )
      .max(1_000)
      .default([])
      .describe('Proxies before the router whose X-Forwarded-* is believed.'),
    processes: z
      .union([z.int().min(1).max(64), z.literal('auto')])
      .default('auto')
      .describe('How many share the work. `auto`: one for each core.'),
    drain_timeout: duration
      .default('60s')
      .describe('How long a router that ends lets requests and connections finish.'),
    limits,
    access_log: accessLog,
    trace: traceMode
      .default('carry')
      .describe('Whether a request without a valid traceparent gets one: `start` and `start_sampled`.'),
  })
  .superRefine(({ listeners, certificates, trusted_proxies }, context) => {
    const complain = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path, message });
    listeners.forEach(({ address, tls, proxy_protocol }, index) => {
      if (listeners.findIndex((other) => other.address === address) !== index)
        complain(['listeners', index, 'address'], 'must not stand there twice');
      if (tls && certificates.length === 0)
        complain(['listeners', index, 'tls'], 'needs at least one of `certificates`');
      if (proxy_protocol && trusted_proxies.length === 0)
        complain(
          ['listeners', index, 'proxy_protocol'],
          'needs the proxies that may say it in `trusted_proxies`',
        );
    });
  })
  .nullable()
  .default(null)
  .describe('Take HTTP and WebSocket connections to services. null: no router.');
export type RouterConfig = NonNullable<z.output<typeof routerField>>;

/** The settings as routers get them. */
export function routerSettings(config: RouterConfig): RouterSettings {
  const { listeners, certificates, min_version, trusted_proxies, drain_timeout, limits } = config;
  return {
    access_log: accessLogSettings(config),
    trace: config.trace,
    listeners,
    certificates,
    min_version,
    trusted_proxies,
    drain_timeout: milliseconds(drain_timeout),
    limits: {
      ...limits,
      header_size: bytes(limits.header_size),
      header_timeout: milliseconds(limits.header_timeout),
      idle_timeout: milliseconds(limits.idle_timeout),
      body_timeout: milliseconds(limits.body_timeout),
      body_size: limits.body_size === null ? null : bytes(limits.body_size),
    },
  };
}

function accessLogSettings({ access_log }: RouterConfig): AccessLogSettings | null {
  if (access_log === null) return null;
  const { slow } = access_log;
  return { ...access_log, slow: slow === null ? null : milliseconds(slow) };
}

/** How many processes share the work. */
export function routerProcesses({ processes }: RouterConfig): number {
  return processes === 'auto' ? Math.min(availableParallelism(), 64) : processes;
}

function hasPort(address: string): boolean {
  const port = Number(address.slice(address.lastIndexOf(':') + 1));
  return port >= 1 && port <= 65_535;
}

/** A size within bounds, in bytes. */
function sizeOf(standard: string, least: number, most: number) {
  const fits = (text: string) => {
    const count = size.safeParse(text).success ? bytes(text) : least;
    return count >= least && count <= most;
  };
  return size.refine(fits, `must be from ${least}B to ${most}B`).default(standard);
}
