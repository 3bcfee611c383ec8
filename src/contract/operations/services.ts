import {
  batchResult,
  instanceList,
  operationResult,
  service,
  serviceList,
  serviceStatus,
  serviceStatuses,
} from '../answers.ts';
import { serviceHealth } from '../health.ts';
import { processList } from '../processes.ts';
import * as requests from '../requests.ts';
import { taskRunList } from '../runs.ts';
import { why } from '../why.ts';
import { failedDeploy, type Operation, onService } from './operation.ts';

/** Services as they are and run: what is known of them, and what is asked of them. */
export const serviceOperations = {
  allStatuses: {
    tag: 'pipeline',
    summary: 'The status of each service',
    answer: serviceStatuses,
    errors: [],
  },
  listServices: { tag: 'services', summary: 'Every service', answer: serviceList, errors: [] },
  createService: {
    tag: 'services',
    summary: 'Register a service without starting it',
    body: requests.createService,
    answer: operationResult,
    success: 201,
    errors: ['service_exists', 'storage_unavailable', 'shutting_down'],
  },
  showService: {
    ...onService,
    summary: 'One service',
    answer: service,
    errors: ['service_not_found'],
  },
  updateService: {
    ...onService,
    summary: 'Change the spec; it takes effect at the next start',
    body: requests.updateService,
    answer: operationResult,
    errors: ['service_not_found', 'storage_unavailable', 'shutting_down'],
  },
  deleteService: {
    ...onService,
    summary: 'Stop a service and forget it, its releases and its logs',
    answer: operationResult,
    errors: ['service_not_found', 'storage_unavailable'],
  },
  serviceStatus: {
    ...onService,
    summary: 'The status of a service',
    answer: serviceStatus,
    errors: ['service_not_found'],
  },
  whyService: {
    ...onService,
    summary: 'Why a service is in the state that it is in: its last change and what led to it',
    query: requests.whyQuery,
    answer: why,
    errors: ['service_not_found', 'instance_not_found'],
  },
  serviceHealth: {
    ...onService,
    summary: 'What the probes say of a service at present, and what they said',
    query: requests.healthQuery,
    answer: serviceHealth,
    errors: ['service_not_found'],
  },
  startService: {
    ...onService,
    summary: 'Start the current release',
    body: requests.emptyBody,
    answer: operationResult,
    errors: ['service_not_found', ...failedDeploy],
  },
  stopService: {
    ...onService,
    summary: 'Stop a service and everything it started',
    body: requests.emptyBody,
    answer: operationResult,
    errors: ['service_not_found'],
  },
  restartService: {
    ...onService,
    summary: 'Start a service again, if wished with a new command',
    body: requests.restartService,
    answer: operationResult,
    errors: ['service_not_found', ...failedDeploy],
  },
  pauseService: {
    ...onService,
    summary: 'Halt every process of a service (SIGSTOP)',
    body: requests.emptyBody,
    answer: operationResult,
    errors: ['service_not_found', 'state_conflict'],
  },
  resumeService: {
    ...onService,
    summary: 'Let a paused service go on (SIGCONT)',
    body: requests.emptyBody,
    answer: operationResult,
    errors: ['service_not_found', 'state_conflict'],
  },
  signalService: {
    ...onService,
    summary: 'Send a signal to every process of a service',
    body: requests.signalService,
    answer: operationResult,
    errors: ['service_not_found', 'state_conflict'],
  },
  scaleService: {
    ...onService,
    summary: 'Change how many instances of a service run',
    body: requests.scaleService,
    answer: operationResult,
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
    path: requests.instancePath,
    summary: 'Stop one instance and start it again',
    body: requests.emptyBody,
    answer: operationResult,
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
    query: requests.runsQuery,
    answer: taskRunList,
    errors: ['service_not_found'],
  },
  batch: {
    tag: 'services',
    summary: 'Several operations at once, with an outcome for each',
    body: requests.batch,
    answer: batchResult,
    errors: ['shutting_down'],
  },
} as const satisfies Record<string, Operation>;
