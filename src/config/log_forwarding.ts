import { z } from 'zod';
import { serviceGlob, size } from '../contract/scalars.ts';
import { bytes } from '../lib/units.ts';
import {
  connectionFields,
  hasOneKindOfCredentials,
  hostAndPort,
  oneKindOfCredentials,
  receiverFields,
} from './fields.ts';

/** What a line of JSON says by itself; a label cannot say something else. */
const ownNames = new Set([
  ...['timestamp', 'message', 'service', 'instance', 'release', 'stream', 'level', 'id', 'continues'],
]);

const labels = z
  .record(
    z
      .string()
      .regex(/^[a-zA-Z_][a-zA-Z0-9_]{0,127}$/)
      .refine((name) => !ownNames.has(name), 'is said of each line anyway'),
    z.string().max(1_024),
  )
  .refine((all) => Object.keys(all).length <= 50, 'must not hold more than 50')
  .default({})
  .describe('Added to every line. `host` is the name of the host unless they say otherwise.');

const common = {
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/)
    .describe('Unique among them: how far each has got is kept by it.'),
  services: z.array(serviceGlob).min(1).max(100).default(['*']).describe('Whose lines.'),
  from: z
    .enum(['now', 'beginning'])
    .default('now')
    .describe('Where the first time begins: with what is written from then on, or with all that is kept.'),
  ...connectionFields,
};

const target = z.discriminatedUnion('type', [
  z
    .strictObject({
      ...common,
      type: z.literal('http'),
      ...receiverFields,
      format: z
        .enum(['json_lines', 'loki'])
        .default('json_lines')
        .describe('`json_lines`: an object a line, as Vector takes it; `loki`: the push API of Loki.'),
      labels,
      compress: z.boolean().default(true).describe('By gzip.'),
      batch_size: size
        .default('1MiB')
        .refine((text) => bytes(text) >= 2 ** 14 && bytes(text) <= 2 ** 24, 'must be from 16KiB to 16MiB')
        .describe('How much is sent at once, before compression. A line that is longer goes alone.'),
    })
    .refine(hasOneKindOfCredentials, oneKindOfCredentials),
  z.strictObject({
    ...common,
    type: z.literal('syslog'),
    address: hostAndPort,
    tls: z.boolean().default(false),
    facility: z.int().min(0).max(23).default(1).describe('RFC 5424; 1: user-level messages.'),
    framing: z.enum(['octet_counting', 'newline']).default('octet_counting').describe('RFC 6587.'),
  }),
]);
export type LogForwardingConfig = z.output<typeof target>;

/** The setting `log_forwarding`. */
export const logForwardingField = z
  .array(target)
  .max(8)
  .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, 'must have names that differ')
  .default([])
  .describe('Where the output of services is sent on.');
