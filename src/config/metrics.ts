import { z } from 'zod';
import { duration, size } from '../contract/scalars.ts';
import { isNetwork } from '../lib/addresses.ts';
import { milliseconds } from '../lib/units.ts';
import {
  connectionFields,
  hasOneKindOfCredentials,
  hostAndPort,
  oneKindOfCredentials,
  receiverFields,
} from './fields.ts';

const remoteWrite = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/)
      .describe('Unique among them; tells them apart in metrics and logs.'),
    ...receiverFields,
    ...connectionFields,
    url: receiverFields.url.describe('Where samples are sent (Prometheus remote write 1.0).'),
    queue_size: size
      .default('256MB')
      .describe('How much may wait on the disk while the receiver is down; the oldest goes first.'),
    queue_age: duration.default('2h').describe('Samples older than this are not sent any more.'),
    labels: z
      .record(z.string().regex(/^(?!__)[a-zA-Z_][a-zA-Z0-9_]{0,127}$/), z.string().max(1_024))
      .default({})
      .describe(
        'Added to every sample. `instance` is the name of the host and `job` is davit unless they say otherwise.',
      ),
  })
  .refine(hasOneKindOfCredentials, oneKindOfCredentials);

/** The setting `metrics`. */
export const metricsField = z
  .strictObject({
    interval: duration
      .default('10s')
      .refine((text) => milliseconds(text) >= 1_000 && milliseconds(text) <= 300_000, 'must be from 1s to 5m')
      .describe('How often usage is measured and kept.'),
    listener: z
      .strictObject({
        address: hostAndPort.describe('Where /metrics is answered without a key, and nothing else.'),
        allowed_networks: z
          .array(z.string().refine(isNetwork, 'must be a network such as 10.0.0.0/8, or an address'))
          .min(1)
          .max(1_000)
          .default(['127.0.0.0/8', '::1'])
          .describe('Who may ask there.'),
      })
      .nullable()
      .default(null)
      .describe('null: /metrics is answered where the API listens, to keys with the scope metrics.'),
    history: z
      .strictObject({
        fine: duration.default('2d').describe('How long each measurement is kept.'),
        minutes: duration.default('14d').describe('How long one value a minute is kept.'),
        hours: duration.default('400d').describe('How long one value an hour is kept.'),
        max_size: size.default('1GB').describe('How large the file may get; the oldest goes first.'),
      })
      .nullable()
      .prefault({})
      .describe('null: nothing is kept on this machine.'),
    remote_write: z
      .array(remoteWrite)
      .max(8)
      .refine(
        (all) => new Set(all.map(({ name }) => name)).size === all.length,
        'must have names that differ',
      )
      .default([]),
  })
  .prefault({});
export type MetricsConfig = z.output<typeof metricsField>;
export type RemoteWriteConfig = MetricsConfig['remote_write'][number];
