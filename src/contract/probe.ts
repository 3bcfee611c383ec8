import { z } from 'zod';
import { duration, size } from './scalars.ts';
import { argument, command, networkHost, pattern } from './text.ts';

/** In every probe. A probe that fails `unhealthy_threshold` times in a row is unhealthy, and healthy again after `healthy_threshold`. */
const timing = {
  interval: duration
    .regex(/[1-9]/, 'must be more than zero')
    .default('10s')
    .describe('From the begin of one probe to the begin of the next; at least 100ms.'),
  timeout: duration
    .regex(/[1-9]/, 'must be more than zero')
    .default('5s')
    .describe('A probe that takes longer has failed.'),
  start_period: duration
    .default('0s')
    .describe('For so long after the start of an instance failures do not count, until the first success.'),
  healthy_threshold: z.int().min(1).max(100).default(1).describe('Successes in a row that make it healthy.'),
  unhealthy_threshold: z
    .int()
    .min(1)
    .max(100)
    .default(3)
    .describe('Failures in a row that make it unhealthy.'),
  on_unhealthy: z
    .enum(['restart', 'none'])
    .default('restart')
    .describe(
      'Of a liveness probe: what becomes of an instance that is unhealthy. A readiness probe only tells.',
    ),
};

const port = z.int().min(1).max(65_535).nullable().default(null).describe("null: the instance's own port.");

const address = {
  host: networkHost.default('127.0.0.1').describe('Where the instance listens.'),
  port,
};

/** What RFC 9110 allows in the value of a header, of the characters that are no longer ASCII those of Latin-1. */
const headerValue = argument.regex(
  /^[\t\x20-\x7e\x80-\xff]*$/,
  'must hold nothing but printable characters, all of Latin-1, and tabs',
);

const headers = z
  .record(
    z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/, 'must be the name of a header'),
    headerValue,
  )
  .refine((all) => Object.keys(all).length <= 100, 'must not hold more than 100 headers')
  .default({})
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is what a spec holds
  .describe('Headers of the request. `${PORT}` and the like are filled in.');

const tls = z
  .strictObject({
    verify: z.boolean().default(false).describe('Whether the certificate must be valid for `server_name`.'),
    server_name: networkHost.nullable().default(null).describe('null: the host that is asked.'),
    ca_file: z
      .string()
      .regex(/^(\/|[A-Za-z]:[\\/])/, 'must be an absolute path')
      .nullable()
      .default(null)
      .describe('The authorities that are trusted, as PEM. null: those of the system.'),
  })
  .nullable()
  .default(null)
  .describe('Ask with TLS. null: without.');

const path = z
  .string()
  .max(4096)
  .regex(/^\/[!-~]*$/, 'must begin with / and hold no space; write what is not ASCII as %C3%A4')
  .default('/');

const httpProbe = z.strictObject({
  type: z.literal('http'),
  ...address,
  method: z.enum(['GET', 'HEAD', 'POST', 'OPTIONS']).default('GET'),
  path,
  headers,
  status: z
    .array(
      z.union([
        z.int().min(100).max(599),
        z.string().regex(/^[1-5]\d\d-[1-5]\d\d$/, 'must be a range such as 200-299'),
      ]),
    )
    .min(1)
    .max(50)
    .default(['200-399'])
    .describe('Status codes, or ranges of them, that are a success.'),
  body: pattern
    .nullable()
    .default(null)
    .describe('A regular expression (RE2) that the first 64 KiB of the body must match.'),
  tls,
  ...timing,
});

const tcpProbe = z.strictObject({ type: z.literal('tcp'), ...address, ...timing });

const execProbe = z.strictObject({
  type: z.literal('exec'),
  command: command.describe(
    "Runs with the service's account, directory and environment. Exit code 0 is a success.",
  ),
  ...timing,
});

const processProbe = z.strictObject({
  type: z.literal('process'),
  max_memory: size
    .nullable()
    .default(null)
    .describe('Resident memory of the whole process tree. null: no limit.'),
  max_cpu: z
    .number()
    .positive()
    .max(10_000)
    .nullable()
    .default(null)
    .describe('Cores that the whole process tree uses from one probe to the next. null: no limit.'),
  ...timing,
});

const websocketProbe = z.strictObject({
  type: z.literal('websocket'),
  ...address,
  path,
  headers,
  send: argument
    .nullable()
    .default(null)
    .describe('A text message to send once it is open. null: the handshake is enough.'),
  expect: pattern
    .nullable()
    .default(null)
    .describe('A regular expression (RE2) that the first message must match. null: none is waited for.'),
  tls,
  ...timing,
});

const grpcProbe = z.strictObject({
  type: z.literal('grpc'),
  ...address,
  service: z
    .string()
    .max(256)
    .default('')
    .describe('The name to ask for, by grpc.health.v1. Empty: the server as a whole.'),
  tls,
  ...timing,
});

/** How it is found out whether an instance is well. */
export const probe = z
  .discriminatedUnion('type', [httpProbe, tcpProbe, execProbe, processProbe, websocketProbe, grpcProbe])
  .meta({ id: 'Probe' });
export type Probe = z.infer<typeof probe>;
export type ProbeOf<Type extends Probe['type']> = Extract<Probe, { type: Type }>;
