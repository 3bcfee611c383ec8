import { z } from 'zod';
import { flag } from './query.ts';
import { serviceId, time } from './scalars.ts';
import { seriesName } from './series.ts';

/** How values that fall into one step become one. */
export const aggregates = ['avg', 'min', 'max', 'last', 'sum', 'count'] as const;
export type Aggregate = (typeof aggregates)[number];

const seriesList = z
  .string()
  .max(4_096)
  .meta({ examples: ['host.cpu,service.memory:web'] });

const timeOrAge = z
  .string()
  .regex(
    /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z|\d{1,6}(s|m|h|d))$/,
    'must be a time such as 2026-01-31T12:00:00Z, or how long ago, such as 2h',
  );

export const metricsQuery = z.strictObject({
  series: seriesList.describe('Which ones, with commas between them; `service.cpu:*` is of every service.'),
  from: timeOrAge.optional().describe('Default: 1h.'),
  to: timeOrAge.optional().describe('Default: now.'),
  step: z
    .string()
    .regex(/^\d{1,6}(s|m|h|d)$/, 'must be a duration such as 10s, 5m or 1h')
    .optional()
    .describe(
      'How far points are apart. Default: so that there are at most 300. Rounded up to what is kept of that time.',
    ),
  agg: z.enum(aggregates).optional().describe('How values within a step become one. Default: avg.'),
});

export const seriesPoints = z
  .object({
    series: z.string().describe('`<name>`, or `<name>:<service>`.'),
    name: seriesName,
    service: serviceId.nullable(),
    unit: z.string(),
    points: z
      .array(z.tuple([z.int(), z.number().nullable()]))
      .describe(
        'Begin of the step in milliseconds since 1970, and its value; null: nothing is known of that step.',
      ),
  })
  .meta({ id: 'SeriesPoints' });
export type SeriesPoints = z.infer<typeof seriesPoints>;

export const metricsAnswer = z
  .object({
    from: time,
    to: time,
    step_seconds: z.int(),
    agg: z.enum(aggregates),
    series: z.array(seriesPoints),
  })
  .meta({ id: 'MetricsAnswer' });
export type MetricsAnswer = z.infer<typeof metricsAnswer>;

export const seriesCatalogue = z
  .object({
    series: z.array(z.object({ name: seriesName, unit: z.string(), description: z.string() })),
  })
  .meta({ id: 'SeriesList' });
export type SeriesCatalogue = z.infer<typeof seriesCatalogue>;

/** What the processes of an instance use. */
const instanceUsage = z
  .object({
    instance: z.int(),
    release: z.int().nullable(),
    cpu_cores: z.number().nullable().describe('Of the last interval; null: not known yet.'),
    cpu_seconds: z.number().describe('Since it was started.'),
    resident_bytes: z.int(),
    processes: z.int(),
    threads: z.int(),
    open_files: z.int(),
  })
  .meta({ id: 'InstanceUsage' });

export const serviceStats = z
  .object({
    service: serviceId,
    state: z.string(),
    instances: z.object({ wanted: z.int(), running: z.int(), ready: z.int() }),
    started_at: time.nullable().describe('When the oldest instance that runs was started.'),
    restarts: z.int().describe('Since the agent was started.'),
    cpu_cores: z.number().nullable(),
    resident_bytes: z.int().nullable(),
    open_connections: z.int(),
    requests_per_second: z.number().nullable().describe('null: not known yet, or no router.'),
    error_ratio: z.number().nullable().describe('null: no requests.'),
    alerts_firing: z.int(),
    usage: z.array(instanceUsage),
  })
  .meta({ id: 'ServiceStats' });
export type ServiceStats = z.infer<typeof serviceStats>;

export const statsQuery = z.strictObject({
  usage: flag.optional().describe('Tell also what each instance uses.'),
});

/** How everything stands, in numbers. */
export const stats = z
  .object({
    at: time.describe('When usage was measured last.'),
    interval_seconds: z.number(),
    agent: z.object({
      version: z.string(),
      hostname: z.string(),
      started_at: time,
      resident_bytes: z.int(),
      cpu_cores: z.number().nullable(),
      event_loop_lag_seconds: z.number(),
    }),
    host: z
      .object({
        booted_at: time,
        processors: z.int(),
        cpu_ratio: z.number().nullable(),
        load: z.tuple([z.number(), z.number(), z.number()]),
        memory_bytes: z.int(),
        memory_available_bytes: z.int(),
        disk_bytes: z.int(),
        disk_free_bytes: z.int(),
      })
      .nullable()
      .describe('null for a key that may not read every service, or where the system does not tell.'),
    totals: z
      .object({
        services: z.int(),
        services_running: z.int(),
        services_failed: z.int(),
        instances: z.int(),
        instances_ready: z.int(),
        connections: z.int(),
        requests: z.int().describe('That routers sent to these services.'),
        errors: z.int().describe('Of them, those that failed or were answered with 500 or above.'),
        restarts: z.int(),
        alerts_firing: z
          .int()
          .describe('For a key that may read every service, with those of the host and the agent.'),
      })
      .describe('Of the services that the key may read.'),
    services: z.array(serviceStats),
  })
  .meta({ id: 'Stats' });
export type Stats = z.infer<typeof stats>;
