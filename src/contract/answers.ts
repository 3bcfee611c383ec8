import { z } from 'zod';
import { errorStatus } from './error_codes.ts';
import { logLevel, scope, serviceGlob, serviceId, time } from './scalars.ts';
import { command, shownSpec } from './spec.ts';

/** Every error, whatever the route. */
export const errorAnswer = z
  .looseObject({
    error: z.string().describe('A sentence that says what was wrong and what would be right.'),
    code: z.enum(Object.keys(errorStatus) as [keyof typeof errorStatus]),
    request_id: z.string(),
    details: z
      .array(
        z.object({
          path: z.string(),
          message: z.string(),
          line: z.int().optional().describe('Of a file: where in it, from 1.'),
          column: z.int().optional(),
        }),
      )
      .optional(),
    return_code: z.int().nullable().optional().describe('How the process of a failed deploy ended.'),
    last_lines: z
      .array(z.string())
      .optional()
      .describe('The last lines that the process of a failed deploy wrote.'),
    restored: z
      .object({ release: z.int(), pid: z.int() })
      .nullable()
      .optional()
      .describe('The release that a failed deploy left running, or null when none ran before.'),
  })
  .meta({ id: 'Error' });
export type ErrorAnswer = z.infer<typeof errorAnswer>;

export const health = z.object({ status: z.literal('ok'), message: z.string() }).meta({ id: 'Health' });

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

/** Of a service: that of its instances, seen together; `scheduled`: a task that waits for its time. */
const serviceStates = [...instanceStates, 'scheduled'] as const;
export const serviceState = z.enum(serviceStates).meta({ id: 'ServiceState' });
export type ServiceState = z.infer<typeof serviceState>;

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

export const healthVerdict = z
  .enum(['unknown', 'healthy', 'unhealthy'])
  .describe('`unknown`: not probed yet, or within the start period.')
  .meta({ id: 'HealthVerdict' });
export type HealthVerdict = z.infer<typeof healthVerdict>;

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

export const serviceStatus = z
  .object({
    status: serviceState,
    pid: z.int().optional(),
    command: command.optional(),
    start_time: time.optional(),
    return_code: z
      .int()
      .nullable()
      .optional()
      .describe('null: ended by a signal, or while no agent was watching.'),
    signal: z.string().optional().describe('The signal that ended it.'),
    end_time: time.optional(),
    message: z.string(),
    release: z.int().describe('The release that runs, or that would be started.'),
    wanted: z.enum(['running', 'stopped']),
    restart_required: z.boolean().describe('The spec has changed since the process was started.'),
    instances: z
      .object({
        wanted: z.int(),
        running: z.int().describe('That have a process.'),
        ready: z.int().describe('To which connections may go.'),
      })
      .describe('How many there are.'),
    restarts: z
      .int()
      .describe('How often instances were restarted by themselves since someone started the service.'),
    next_run: time.nullable().describe('When its schedule is due next; null: it has none, or is stopped.'),
  })
  .meta({ id: 'ServiceStatus' });
export type ServiceStatus = z.infer<typeof serviceStatus>;

export const serviceStatuses = z.record(serviceId, serviceStatus).meta({ id: 'ServiceStatuses' });

export const service = z
  .object({
    id: serviceId,
    spec: shownSpec,
    status: serviceStatus,
    created_at: time,
    declared_in: z.string().nullable().optional().describe('The declaration that it is of; null: of none.'),
  })
  .meta({ id: 'Service' });
export type Service = z.infer<typeof service>;

export const serviceList = z.object({ services: z.array(service) }).meta({ id: 'ServiceList' });
export type ServiceList = z.infer<typeof serviceList>;

const releaseReasons = ['create', 'update', 'deploy', 'restart'] as const;

export const release = z
  .object({
    release: z.int(),
    spec: shownSpec,
    reason: z.enum(releaseReasons),
    outcome: z.enum(['pending', 'succeeded', 'failed']).describe('`pending`: never started yet.'),
    cause: z.string().nullable().describe('Why it failed.'),
    created_at: time,
    created_by: z.string(),
    current: z.boolean(),
  })
  .meta({ id: 'Release' });
export type Release = z.infer<typeof release>;

export const releaseList = z.object({ releases: z.array(release) }).meta({ id: 'ReleaseList' });
export type ReleaseList = z.infer<typeof releaseList>;

const operationStatuses = [
  'created',
  'updated',
  'deleted',
  'deployed',
  'started',
  'restarted',
  'stopped',
  'signalled',
  'paused',
  'resumed',
  'rolled_back',
  'scaled',
  'waiting',
] as const;

/** What an operation on a service did. */
export const operationResult = z
  .object({
    status: z.enum(operationStatuses),
    pid: z.int().optional(),
    message: z.string(),
    service: serviceId,
    release: z.int(),
    deployment: z.int().optional().describe('The deployment that it was.'),
    stop: stopReport.optional(),
  })
  .meta({ id: 'OperationResult' });
export type OperationResult = z.infer<typeof operationResult>;

export const batchResult = z
  .object({
    results: z.array(
      z.object({
        service: z.string(),
        operation: z.string(),
        http_status: z.int(),
        result: z.union([operationResult, errorAnswer]),
      }),
    ),
    succeeded: z.int(),
    failed: z.int(),
  })
  .meta({ id: 'BatchResult' });
export type BatchResult = z.infer<typeof batchResult>;

export const logLine = z
  .object({
    time: time.describe(
      'When it was seen; a line that was written while no agent ran has the time of the next start.',
    ),
    stream: z.enum(['stdout', 'stderr']),
    line: z.string(),
    level: logLevel.nullable(),
    release: z.int(),
    instance: z.int(),
    cursor: z.string().describe('The place after this line, for `after`, `before` and Last-Event-ID.'),
    continues: z
      .literal(true)
      .optional()
      .describe('The line goes on in the next one: it is very long, or not finished yet.'),
  })
  .meta({ id: 'LogLine' });
export type LogLine = z.infer<typeof logLine>;

/** What retention, or the slowness of its reader, took out of what was read. */
export const skippedOutput = z
  .object({
    bytes: z.int().nullable().describe('null: not known.'),
    cursor: z.string().describe('Where reading went on.'),
  })
  .meta({ id: 'SkippedOutput' });
export type SkippedOutput = z.infer<typeof skippedOutput>;

export const logPage = z
  .object({
    service: serviceId,
    lines: z.array(logLine),
    truncated: z
      .boolean()
      .describe('There may be more: before these lines, or after them where `after` was given.'),
    before: z.string().describe('The cursor for `before` that gives the page before this one.'),
    after: z.string().describe('The cursor for `after` that gives the page after this one.'),
    skipped: skippedOutput
      .optional()
      .describe('What lay after the cursor that was given and is not kept any more.'),
  })
  .meta({ id: 'LogPage' });
export type LogPage = z.infer<typeof logPage>;

/** Every kind of event; `subject.verb`. */
export const eventTypes = [
  'agent.started',
  'agent.stopping',
  'agent.configuration_reloaded',
  'agent.configuration_refused',
  'agent.state_set_aside',
  'service.created',
  'service.updated',
  'service.deleted',
  'service.starting',
  'service.started',
  'service.start_failed',
  'service.adopted',
  'service.stopping',
  'service.stopped',
  'service.exited',
  'service.completed',
  'service.waiting',
  'service.restarting',
  'service.failed',
  'service.scaled',
  'service.healthy',
  'service.unhealthy',
  'service.ready',
  'service.not_ready',
  'service.paused',
  'service.resumed',
  'service.signalled',
  'service.draining',
  'service.readmitted',
  'deployment.started',
  'deployment.resumed',
  'deployment.progressed',
  'deployment.promoted',
  'deployment.cancelled',
  'deployment.superseded',
  'deployment.succeeded',
  'deployment.failed',
  'config.replaced',
  'config.rolled_back',
  'config.refused',
  'rule.created',
  'rule.updated',
  'rule.deleted',
  'rule.enabled',
  'rule.disabled',
  'connection.closed',
  'key.created',
  'key.revoked',
  'orphan.stopped',
  'alert.firing',
  'alert.resolved',
  'alert_rule.created',
  'alert_rule.updated',
  'alert_rule.deleted',
  'silence.created',
  'silence.ended',
  'notifier.created',
  'notifier.updated',
  'notifier.deleted',
  'declaration.applied',
  'declaration.refused',
  'declaration.removed',
] as const;
export const eventType = z.enum(eventTypes);
export type EventType = z.infer<typeof eventType>;

/** One fact: what happened, when, to whom, and why. */
export const event = z
  .object({
    id: z.int().describe('Rises by one; the cursor for `after` and for Last-Event-ID.'),
    time,
    type: eventType,
    service: serviceId.nullable(),
    release: z.int().nullable(),
    pid: z.int().nullable(),
    instance: z.int().nullable().describe('Which instance of the service; null: the service as a whole.'),
    actor: z.string().nullable().describe('Who asked for it; null: it happened by itself.'),
    cause: z.int().nullable().describe('The id of the event that led to it; null: nothing before it.'),
    trace_id: z.string().nullable().describe('Of the W3C trace in which it came about; null: of none.'),
    message: z.string(),
  })
  .meta({ id: 'Event' });
export type Event = z.infer<typeof event>;

export const eventList = z.object({ events: z.array(event) }).meta({ id: 'EventList' });
export type EventList = z.infer<typeof eventList>;

export const agentInformation = z
  .object({
    version: z.string(),
    commit: z.string(),
    node: z.string(),
    platform: z.string(),
    hostname: z.string(),
    pid: z.int(),
    started_at: time,
    listen: z.string(),
    data: z.string(),
    config_file: z
      .string()
      .nullable()
      .describe('The configuration file that it was started with; null: none.'),
    log_level: logLevel,
    memory: z.object({ resident_bytes: z.int() }),
    services: z.object({ total: z.int(), running: z.int() }).describe('Those that may be read.'),
    control_groups: z
      .object({ used: z.boolean(), reason: z.string().nullable().describe('Why not; null: they are used.') })
      .describe('Whether each instance has a control group of its own.'),
    warnings: z
      .array(z.string())
      .describe(
        'What is missing, such as the rights of root, was mended at start, such as a state file set aside, or is left over.',
      ),
  })
  .meta({ id: 'AgentInformation' });
export type AgentInformation = z.infer<typeof agentInformation>;

export const apiKey = z
  .object({
    id: z.string(),
    name: z.string(),
    scopes: z.array(scope),
    services: z.array(serviceGlob).nullable().describe('null: every service.'),
    created_at: time,
    expires_at: time.nullable(),
    last_used_at: time.nullable(),
    revoked_at: time.nullable(),
  })
  .meta({ id: 'ApiKey' });
export type ApiKey = z.infer<typeof apiKey>;

export const createdApiKey = apiKey
  .extend({ key: z.string().describe('The secret itself, shown this once.') })
  .meta({ id: 'CreatedApiKey' });
export type CreatedApiKey = z.infer<typeof createdApiKey>;
export const apiKeyList = z.object({ keys: z.array(apiKey) }).meta({ id: 'ApiKeyList' });
export type ApiKeyList = z.infer<typeof apiKeyList>;

export const logLevelSetting = z.strictObject({ log_level: logLevel }).meta({ id: 'LogLevelSetting' });
