import { z } from 'zod';
import { instanceIdPattern, serviceId, time } from './scalars.ts';

/** What the kernel says a process is doing. */
const processStates = [
  'running',
  'sleeping',
  'disk_wait',
  'stopped',
  'traced',
  'idle',
  'zombie',
  'other',
] as const;

/** One process of an instance. Its environment is never shown. */
export const processInformation = z
  .object({
    pid: z.int(),
    parent: z.int().describe('The pid of its parent, which need not be in the list.'),
    role: z
      .enum(['wrapper', 'main', 'descendant'])
      .describe('`wrapper`: the shell that waits for `main`, the program of the service.'),
    name: z.string().describe('What the kernel calls it: at most 15 bytes.'),
    command: z
      .string()
      .describe('Its arguments, as one would type them; cut after 4 KiB. The name in brackets: it has none.'),
    state: z.enum(processStates),
    user: z.string().describe('The effective user, by name where /etc/passwd has one, else by number.'),
    started_at: time,
    cpu_seconds: z.number().describe('Processor time that it has used so far.'),
    resident_bytes: z.int().describe('Memory that it holds, with what it shares with others.'),
    threads: z.int(),
  })
  .meta({ id: 'Process' });
export type ProcessInformation = z.infer<typeof processInformation>;

/** One process of a service. */
const processOfService = processInformation
  .extend({ instance: z.int().describe('Which instance of the service it is of.') })
  .meta({ id: 'ProcessOfService' });

/** The most processes that are listed of a service and of an orphan, and the most orphans. */
export const mostListed = { processes: 1_000, orphans: 100, processes_of_orphan: 100 } as const;

const shownProcesses = (most: number) => ({
  processes: z.array(processInformation).describe('In the order in which they were started.'),
  process_count: z.int().describe(`How many there are; no more than ${most} are listed.`),
});

export const processList = z
  .object({
    service: serviceId,
    ...shownProcesses(mostListed.processes),
    processes: z
      .array(processOfService)
      .describe('By instance, and in the order in which they were started.'),
  })
  .meta({ id: 'ProcessList' });
export type ProcessList = z.infer<typeof processList>;

/** Processes that an agent with this data directory started, of an instance that no service has. */
export const orphan = z
  .object({
    instance_id: z.string(),
    service: serviceId.nullable().describe('The service that it was of; null: not readable.'),
    release: z.int().nullable(),
    started_at: time.describe('The start of the oldest of its processes.'),
    ...shownProcesses(mostListed.processes_of_orphan),
  })
  .meta({ id: 'Orphan' });
export type Orphan = z.infer<typeof orphan>;

export const orphanList = z
  .object({
    orphans: z.array(orphan).describe('Oldest first.'),
    orphan_count: z.int().describe(`How many there are; no more than ${mostListed.orphans} are listed.`),
  })
  .meta({ id: 'OrphanList' });
export type OrphanList = z.infer<typeof orphanList>;

/** What a stop had to do. */
export const stopReport = z
  .object({
    signal: z.string().describe('The signal that was sent first.'),
    ended_by: z
      .enum(['signal', 'kill', 'already_gone'])
      .describe(
        '`signal`: it ended in time; `kill`: SIGKILL was needed; `already_gone`: nothing was left to stop.',
      ),
    swept: z
      .array(z.int())
      .describe('Descendants outside the process group that had to be killed one by one.'),
    survivors: z.array(z.int()).describe('Processes that were still there at the end.'),
    complete: z
      .enum(['guaranteed', 'best_effort'])
      .describe(
        '`best_effort`: a descendant that left the group and cleared its environment cannot be found.',
      ),
    duration_ms: z.number(),
  })
  .meta({ id: 'StopReport' });
export type StopReport = z.infer<typeof stopReport>;

export const stoppedOrphan = z
  .object({
    instance_id: z.string(),
    service: serviceId.nullable(),
    message: z.string(),
    stop: stopReport,
  })
  .meta({ id: 'StoppedOrphan' });
export type StoppedOrphan = z.infer<typeof stoppedOrphan>;

export const orphanPath = z.strictObject({
  instance_id: z
    .string()
    .regex(instanceIdPattern, 'must be the id of an instance, as listed with the orphans'),
});
