import { batch, batchResult } from '../batch.ts';
import { healthQuery, serviceHealth } from '../health.ts';
import { instanceList, instancePath } from '../instances.ts';
import { processList } from '../processes.ts';
import { runsQuery, taskRunList } from '../runs.ts';
import * as services from '../services.ts';
import { why, whyQuery } from '../why.ts';
import { emptyBody, failedDeploy, type Operation, onService } from './operation.ts';

/** Services as they are and run: what is known of them, and what is asked of them. */
export const serviceOperations = {
  allStatuses: {
    tag: 'pipeline',
    summary: 'The status of each service',
    answer: services.serviceStatuses,
    errors: [],
  },
  listServices: { tag: 'services', summary: 'Every service', answer: services.serviceList, errors: [] },
  createService: {
    tag: 'services',
    summary: 'Register a service without starting it',
    body: services.createService,
    answer: services.operationResult,
    success: 201,
    errors: ['service_exists', 'storage_unavailable', 'shutting_down'],
  },
  showService: {
    ...onService,
    summary: 'One service',
    answer: services.service,
    errors: ['service_not_found'],
  },
  updateService: {
    ...onService,
    summary: 'Change the spec; it takes effect at the next start',
    body: services.updateService,
    answer: services.operationResult,
    errors: ['service_not_found', 'storage_unavailable', 'shutting_down'],
  },
  deleteService: {
    ...onService,
    summary: 'Stop a service and forget it, its releases and its logs',
    answer: services.operationResult,
    errors: ['service_not_found', 'storage_unavailable'],
  },
  serviceStatus: {
    ...onService,
    summary: 'The status of a service',
    answer: services.serviceStatus,
    errors: ['service_not_found'],
  },
  whyService: {
    ...onService,
    summary: 'Why a service is in the state that it is in: its last change and what led to it',
    query: whyQuery,
    answer: why,
    errors: ['service_not_found', 'instance_not_found'],
  },
  serviceHealth: {
    ...onService,
    summary: 'What the probes say of a service at present, and what they said',
    query: healthQuery,
    answer: serviceHealth,
    errors: ['service_not_found'],
  },
  startService: {
    ...onService,
    summary: 'Start the current release',
    body: emptyBody,
    answer: services.operationResult,
    errors: ['service_not_found', ...failedDeploy],
  },
  stopService: {
    ...onService,
    summary: 'Stop a service and everything it started',
    body: emptyBody,
    answer: services.operationResult,
    errors: ['service_not_found'],
  },
  restartService: {
    ...onService,
    summary: 'Start a service again, if wished with a new command',
    body: services.restartService,
    answer: services.operationResult,
    errors: ['service_not_found', ...failedDeploy],
  },
  pauseService: {
    ...onService,
    summary: 'Halt every process of a service (SIGSTOP)',
    body: emptyBody,
    answer: services.operationResult,
    errors: ['service_not_found', 'state_conflict'],
  },
  resumeService: {
    ...onService,
    summary: 'Let a paused service go on (SIGCONT)',
    body: emptyBody,
    answer: services.operationResult,
    errors: ['service_not_found', 'state_conflict'],
  },
  signalService: {
    ...onService,
    summary: 'Send a signal to every process of a service',
    body: services.signalService,
    answer: services.operationResult,
    errors: ['service_not_found', 'state_conflict'],
  },
  scaleService: {
    ...onService,
    summary: 'Change how many instances of a service run',
    body: services.scaleService,
    answer: services.operationResult,
    errors: ['service_not_found', ...failedDeploy],
  },
  listInstances: {
    ...onService,
    summary: 'The instances of a service',
    answer: instanceList,
    errors: ['service_not_found'],
  },
  restartInstance: {
    tag: 'services',
    path: instancePath,
    summary: 'Stop one instance and start it again',
    body: emptyBody,
    answer: services.operationResult,
    errors: ['service_not_found', 'instance_not_found', ...failedDeploy],
  },
  listProcesses: {
    ...onService,
    summary: 'The processes of a service, as a list with parents',
    answer: processList,
    errors: ['service_not_found'],
  },
  listRuns: {
    ...onService,
    summary: 'The runs of a task, newest first, with those that were due and were not run',
    query: runsQuery,
    answer: taskRunList,
    errors: ['service_not_found'],
  },
  batch: {
    tag: 'services',
    summary: 'Several operations at once, with an outcome for each',
    body: batch,
    answer: batchResult,
    errors: ['shutting_down'],
  },
} as const satisfies Record<string, Operation>;
