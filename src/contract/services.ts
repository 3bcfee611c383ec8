import { z } from 'zod';
import { instanceStates } from './instances.ts';
import { stopReport } from './processes.ts';
import { serviceId, signalName, time } from './scalars.ts';
import { command, shownSpec, specFields, specPatch } from './spec.ts';

/** Of a service: that of its instances, seen together; `scheduled`: a task that waits for its time. */
const serviceStates = [...instanceStates, 'scheduled'] as const;
export const serviceState = z.enum(serviceStates).meta({ id: 'ServiceState' });
export type ServiceState = z.infer<typeof serviceState>;

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

export const servicePath = z.strictObject({ id: serviceId });

export const createService = z.strictObject({ id: serviceId, ...specFields }).meta({ id: 'CreateService' });
export const deployService = specPatch.meta({ id: 'DeployService' });
export const updateService = specPatch.meta({ id: 'UpdateService' });
export const restartService = z.strictObject({ command: command.optional() }).meta({ id: 'RestartService' });
export const signalService = z.strictObject({ signal: signalName }).meta({ id: 'SignalService' });
export const scaleService = z
  .strictObject({ instances: z.int().min(1).max(200).describe('How many are to run from now on.') })
  .meta({ id: 'ScaleService' });
