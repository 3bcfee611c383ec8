import { z } from 'zod';
import { wholeNumber } from './query.ts';
import { serviceId, time } from './scalars.ts';

/** What made a task run. */
export const runTrigger = z
  .enum(['schedule', 'manual', 'restart', 'deploy'])
  .describe('`manual`: someone started it; `restart`: its restart policy.');
export type RunTrigger = z.infer<typeof runTrigger>;

export const runOutcome = z
  .enum(['running', 'succeeded', 'failed', 'stopped', 'skipped', 'missed', 'lost'])
  .describe(
    '`skipped`: one still ran when it was due; `missed`: no agent was awake when it was due; `lost`: it ended while no agent was watching, so nobody knows how.',
  );
export type RunOutcome = z.infer<typeof runOutcome>;

/** One run of a task, or one that was due and was not run. */
export const taskRun = z
  .object({
    id: z.int().describe('Rises from run to run.'),
    trigger: runTrigger,
    outcome: runOutcome,
    scheduled_for: time.nullable().describe('When it was due; null: no schedule asked for it.'),
    started_at: time.nullable().describe('null: it was not run.'),
    ended_at: time.nullable().describe('null: it still runs, or was not run.'),
    release: z.int().nullable(),
    instance: z.int().nullable(),
    return_code: z.int().nullable(),
    signal: z.string().nullable().describe('The signal that ended it.'),
    message: z.string(),
    times: z
      .int()
      .describe('How many due times in a row were skipped or missed; `scheduled_for` is the last of them.'),
  })
  .meta({ id: 'TaskRun' });
export type TaskRun = z.infer<typeof taskRun>;

export const taskRunList = z
  .object({ service: serviceId, runs: z.array(taskRun).describe('Newest first.') })
  .meta({ id: 'TaskRunList' });
export type TaskRunList = z.infer<typeof taskRunList>;

export const runsQuery = z.strictObject({
  limit: wholeNumber(1, 200).optional().describe('Default 50, the newest; 200 of each service are kept.'),
});
