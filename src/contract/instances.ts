import { z } from 'zod';
import { healthVerdict } from './health.ts';
import { wholeNumber } from './query.ts';
import { serviceId, time } from './scalars.ts';

/**
 * Of an instance. `starting`, `running`, `paused`, `draining` and `stopping` have a process; one that drains finishes what it
 * has, and then ends. The others have none: `pending` waits for what it depends on, `backoff` for its next restart, `failed`
 * for someone to act; a task that `completed` ended well.
 */
export const instanceStates = [
  'stopped',
  'pending',
  'starting',
  'running',
  'paused',
  'draining',
  'stopping',
  'backoff',
  'failed',
  'completed',
] as const;
export const instanceState = z.enum(instanceStates).meta({ id: 'InstanceState' });
export type InstanceState = z.infer<typeof instanceState>;

/** One of the processes of a service. */
export const instanceStatus = z
  .object({
    instance: z.int().describe('Its number, from 1.'),
    status: instanceState,
    ready: z.boolean().describe('Up, and connections may go there.'),
    pid: z.int().optional(),
    port: z.int().nullable(),
    release: z.int().nullable().describe('The release that runs; null: none does.'),
    start_time: time.optional(),
    readiness: healthVerdict.nullable().describe('null: there is no such probe.'),
    liveness: healthVerdict.nullable().describe('null: there is no such probe.'),
    restarts: z.int().describe('How often it was restarted by itself since someone started the service.'),
    retry_time: time.optional().describe('When it is started again.'),
    return_code: z.int().nullable().optional().describe('How it ended last.'),
    signal: z.string().optional(),
    end_time: time.optional(),
    message: z.string(),
  })
  .meta({ id: 'InstanceStatus' });
export type InstanceStatus = z.infer<typeof instanceStatus>;

export const instanceList = z
  .object({ service: serviceId, instances: z.array(instanceStatus) })
  .meta({ id: 'InstanceList' });
export type InstanceList = z.infer<typeof instanceList>;

export const instancePath = z.strictObject({ id: serviceId, instance: wholeNumber(1, 200) });
