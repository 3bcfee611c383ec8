import { z } from 'zod';
import { duration, serviceId, size } from './scalars.ts';

/** What becomes of an instance that ended by itself. */
export const restart = z.strictObject({
  policy: z
    .enum(['always', 'on_failure', 'never'])
    .nullable()
    .default(null)
    .describe('Which ends are followed by a restart. null: `always` for a service, `never` for a task.'),
  backoff: z
    .strictObject({
      initial: duration.default('500ms').describe('How long to wait before the first restart.'),
      max: duration
        .default('30s')
        .describe('The longest wait; at least 2s once restarts follow each other closely.'),
      factor: z
        .number()
        .min(1)
        .max(100)
        .default(2)
        .describe('By what each wait is longer than the one before.'),
      jitter: z
        .number()
        .min(0)
        .max(1)
        .default(0.2)
        .describe('By what share a wait is made longer or shorter at random, so that not all start at once.'),
    })
    .prefault({}),
  limit: z
    .strictObject({
      count: z
        .union([z.int().min(1).max(1_000), z.literal('unlimited')])
        .default(5)
        .describe('So many restarts at most.'),
      within: duration.default('60s').describe('The time in which they are counted.'),
      retry_after: duration
        .nullable()
        .default(null)
        .describe('After what time a failed instance is tried again. null: not until someone acts.'),
    })
    .prefault({}),
  reset_after: duration
    .default('60s')
    .describe('An instance that was up for so long begins anew with the first wait.'),
});

export const schedule = z
  .strictObject({
    cron: z
      .string()
      .max(200)
      .describe(
        'A cron expression of five fields, or of six with seconds first, or @hourly, @daily and the like.',
      ),
    time_zone: z
      .string()
      .max(64)
      .nullable()
      .default(null)
      .describe("Such as Europe/Berlin. null: the host's."),
    overlap: z
      .enum(['skip', 'queue', 'replace'])
      .default('skip')
      .describe(
        'What a run does that is due while one still runs: `queue` waits (one at most), `replace` ends that one.',
      ),
  })
  .nullable();
export type Schedule = NonNullable<z.infer<typeof schedule>>;

export const dependencyCondition = z.enum(['started', 'healthy', 'completed', 'log_ready']);
export type DependencyCondition = z.infer<typeof dependencyCondition>;

export const dependencies = z
  .record(serviceId, dependencyCondition)
  .refine((all) => Object.keys(all).length <= 100, 'must not name more than 100 services');

export const limits = z.strictObject({
  memory: size
    .nullable()
    .default(null)
    .describe('Of the whole process tree; beyond it the kernel ends processes of it.'),
  cpu: z.number().min(0.01).max(1024).nullable().default(null).describe('Cores, such as 0.5 or 2.'),
  pids: z
    .int()
    .min(1)
    .max(4_194_304)
    .nullable()
    .default(null)
    .describe('Processes and threads of the whole tree.'),
  open_files: z
    .int()
    .min(3)
    .max(1_073_741_816)
    .nullable()
    .default(null)
    .describe('Open files of each process.'),
  enforcement: z
    .enum(['required', 'best_effort'])
    .default('required')
    .describe('What is done where the agent cannot set a limit: refuse to start, or warn.'),
});
