import { z } from 'zod';
import { agentConfiguration } from './agent_configuration.ts';
import * as alerts from './alerts.ts';
import * as answers from './answers.ts';
import * as artifacts from './artifacts.ts';
import * as audit from './audit.ts';
import * as configs from './configs.ts';
import * as declaration from './declaration.ts';
import * as deployments from './deployments.ts';
import { doctorReport } from './doctor.ts';
import type { ErrorCode } from './error_codes.ts';
import { serviceHealth } from './health.ts';
import * as live from './live.ts';
import * as mergedLogs from './merged_logs.ts';
import * as notifiers from './notifiers.ts';
import * as processes from './processes.ts';
import * as requests from './requests.ts';
import * as ruleRequests from './rule_requests.ts';
import { rule } from './rules.ts';
import { taskRunList } from './runs.ts';
import * as sessions from './sessions.ts';
import * as stats from './stats.ts';
import * as traffic from './traffic.ts';
import { why } from './why.ts';

/** What one operation of the API takes and gives. */
export interface Operation {
  readonly summary: string;
  readonly tag: 'pipeline' | 'services' | 'routing' | 'logs' | 'alerts' | 'agent' | 'access';
  readonly path?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  readonly answer: z.ZodType;
  /** Default: JSON. */
  readonly answer_type?: 'text/plain' | 'text/event-stream';
  /** The body may be a YAML text as well, which then is its `source`. */
  readonly yaml?: true;
  /** The body may be an archive, or a form with one, as well; `only`: it is nothing else. */
  readonly archive?: 'allowed' | 'only';
  /** Default 200. */
  readonly success?: 200 | 201;
  /** What the server-sent events of `follow=true` are. */
  readonly stream?: z.ZodType;
  /** Besides `invalid_request`, `unauthenticated`, `forbidden`, `too_many_requests` and `internal`. */
  readonly errors: readonly ErrorCode[];
  /** The answer holds a secret that is shown once: it is never kept. */
  readonly secret?: true;
}

const { operationResult } = answers;
const onService = { tag: 'services', path: requests.servicePath } as const;
const failedDeploy = [
  'spawn_failed',
  'exited_early',
  'not_ready',
  'release_worse',
  'deployment_superseded',
  'deployment_cancelled',
  'not_supported',
  'storage_unavailable',
  'shutting_down',
] as const;

const onDeployment = { tag: 'services', path: deployments.deploymentPath } as const;
const deploymentErrors = ['service_not_found', 'deployment_not_found'] as const;
const artifactErrors = [
  'command_sealed',
  'artifact_not_found',
  'artifact_refused',
  'checksum_mismatch',
] as const;

const onConfig = { tag: 'services', path: configs.configPath } as const;
const configErrors = [
  'service_not_found',
  'config_not_found',
  'config_unusable',
  'storage_unavailable',
] as const;
const failedReplacement = [
  ...configErrors,
  'validation_failed',
  'state_conflict',
  'body_too_large',
  ...failedDeploy.filter((code) => code !== 'storage_unavailable'),
] as const;

const onRule = { tag: 'routing', path: ruleRequests.rulePath } as const;
const ruleErrors = ['rule_not_found', 'state_conflict', 'storage_unavailable', 'shutting_down'] as const;

const onAlertRule = { tag: 'alerts', path: alerts.alertRulePath } as const;
const alertRuleErrors = [
  'alert_rule_not_found',
  'state_conflict',
  'storage_unavailable',
  'shutting_down',
] as const;

const onNotifier = { tag: 'alerts', path: notifiers.notifierPath } as const;
const notifierErrors = [
  'notifier_not_found',
  'target_not_allowed',
  'state_conflict',
  'storage_unavailable',
  'shutting_down',
] as const;

const operationTable = {
  metrics: {
    summary: 'Everything that is measured, in the text format of Prometheus',
    tag: 'agent',
    answer: z.string(),
    answer_type: 'text/plain',
    errors: [],
  },

  health: { summary: 'Whether the agent answers', tag: 'agent', answer: answers.health, errors: [] },

  deployService: {
    ...onService,
    summary: 'Make a new release and replace what runs by it',
    query: deployments.deployQuery,
    body: requests.deployService,
    archive: 'allowed',
    answer: operationResult,
    errors: [...failedDeploy, ...artifactErrors],
  },
  restartService: {
    ...onService,
    summary: 'Start a service again, if wished with a new command',
    body: requests.restartService,
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
  serviceStatus: {
    ...onService,
    summary: 'The status of a service',
    answer: answers.serviceStatus,
    errors: ['service_not_found'],
  },
  serviceLogs: {
    tag: 'logs',
    path: requests.servicePath,
    summary: 'The last lines that a service wrote, or a stream of them',
    query: requests.logsQuery,
    answer: answers.logPage,
    stream: answers.logLine,
    errors: ['service_not_found'],
  },
  mergedLogs: {
    tag: 'logs',
    summary:
      'The last lines that several services wrote, merged by time, a stream of them, or a file with all of them',
    query: mergedLogs.mergedLogsQuery,
    answer: mergedLogs.mergedLogPage,
    stream: mergedLogs.mergedLines,
    errors: ['service_not_found'],
  },
  allStatuses: {
    tag: 'pipeline',
    summary: 'The status of each service',
    answer: answers.serviceStatuses,
    errors: [],
  },

  listServices: { tag: 'services', summary: 'Every service', answer: answers.serviceList, errors: [] },
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
    answer: answers.service,
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
  startService: {
    ...onService,
    summary: 'Start the current release',
    body: requests.emptyBody,
    answer: operationResult,
    errors: ['service_not_found', ...failedDeploy],
  },
  signalService: {
    ...onService,
    summary: 'Send a signal to every process of a service',
    body: requests.signalService,
    answer: operationResult,
    errors: ['service_not_found', 'state_conflict'],
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
  rollbackService: {
    ...onService,
    summary: 'Make an earlier release the current one again',
    body: requests.rollbackService,
    answer: operationResult,
    errors: ['service_not_found', 'release_not_found', ...failedDeploy],
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
    answer: answers.instanceList,
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
  listRuns: {
    ...onService,
    summary: 'The runs of a task, newest first, with those that were due and were not run',
    query: requests.runsQuery,
    answer: taskRunList,
    errors: ['service_not_found'],
  },
  listProcesses: {
    ...onService,
    summary: 'The processes of a service, as a list with parents',
    answer: processes.processList,
    errors: ['service_not_found'],
  },
  listReleases: {
    ...onService,
    summary: 'The releases of a service, newest first',
    answer: answers.releaseList,
    errors: ['service_not_found'],
  },
  showRelease: {
    tag: 'services',
    path: requests.releasePath,
    summary: 'One release',
    answer: answers.release,
    errors: ['service_not_found', 'release_not_found'],
  },
  uploadArtifact: {
    ...onService,
    summary: 'Upload an archive that a deploy can name',
    query: artifacts.uploadQuery,
    archive: 'only',
    answer: artifacts.uploadedArtifact,
    success: 201,
    errors: ['service_not_found', 'checksum_mismatch', 'storage_unavailable', 'shutting_down'],
  },
  listArtifacts: {
    ...onService,
    summary: 'The archives that are kept of a service, newest first',
    answer: artifacts.artifactList,
    errors: ['service_not_found'],
  },
  listConfigs: {
    ...onService,
    summary: 'The configuration files of a service, without their contents',
    answer: configs.configList,
    errors: ['service_not_found', 'storage_unavailable'],
  },
  showConfig: {
    ...onConfig,
    summary: 'A configuration file with its content',
    answer: configs.configContent,
    errors: configErrors,
  },
  replaceConfig: {
    ...onConfig,
    summary: 'Check and replace a configuration file, and let the service take it over',
    body: configs.replaceConfig,
    answer: configs.configResult,
    errors: failedReplacement,
  },
  listConfigVersions: {
    ...onConfig,
    summary: 'The contents that a configuration file had, newest first, without the contents themselves',
    answer: configs.configVersionList,
    errors: configErrors,
  },
  showConfigVersion: {
    tag: 'services',
    path: configs.configVersionPath,
    summary: 'One content that a configuration file had',
    answer: configs.configVersionContent,
    errors: configErrors,
  },
  diffConfig: {
    ...onConfig,
    summary: 'What differs between two versions of a configuration file, or the newest and the file as it is',
    query: configs.diffQuery,
    answer: configs.configDiff,
    errors: configErrors,
  },
  rollbackConfig: {
    ...onConfig,
    summary: 'Make an earlier version the content of a configuration file again',
    body: configs.rollbackConfig,
    answer: configs.configResult,
    errors: failedReplacement,
    // The answer shows what differs, and a configuration may hold secrets.
    secret: true,
  },
  listDeployments: {
    ...onService,
    summary: 'The deployments of a service, newest first',
    query: deployments.deploymentsQuery,
    answer: deployments.deploymentList,
    errors: ['service_not_found'],
  },
  showDeployment: {
    ...onDeployment,
    summary: 'One deployment with its steps',
    answer: deployments.deployment,
    errors: deploymentErrors,
  },
  cancelDeployment: {
    ...onDeployment,
    summary: 'End a deployment that waits or is under way; what served before serves again',
    body: requests.emptyBody,
    answer: deployments.deployment,
    errors: [...deploymentErrors, 'state_conflict', 'shutting_down'],
  },
  promoteDeployment: {
    ...onDeployment,
    summary: 'End the comparing of a deployment: its release gets all requests',
    body: requests.emptyBody,
    answer: deployments.deployment,
    errors: [...deploymentErrors, 'state_conflict', 'shutting_down'],
  },
  batch: {
    tag: 'services',
    summary: 'Several operations at once, with an outcome for each',
    body: requests.batch,
    answer: answers.batchResult,
    errors: ['shutting_down'],
  },

  planDeclaration: {
    tag: 'services',
    summary: 'What applying a declaration would do, and what it would cost',
    query: declaration.planQuery,
    body: declaration.planDeclaration,
    yaml: true,
    answer: declaration.plan,
    errors: ['state_conflict'],
  },
  applyDeclaration: {
    tag: 'services',
    summary: 'Make of the services what a declaration says',
    query: declaration.applyQuery,
    body: declaration.applyDeclaration,
    yaml: true,
    answer: declaration.applied,
    errors: ['plan_outdated', 'state_conflict', 'apply_failed', 'shutting_down'],
  },

  listAlerts: {
    tag: 'alerts',
    summary: 'What is pending and fires, or what is over',
    query: alerts.alertsQuery,
    answer: alerts.alertList,
    errors: [],
  },
  showAlert: {
    tag: 'alerts',
    path: alerts.alertPath,
    summary: 'One alert with what led to it and the last lines of its service',
    answer: alerts.alertInFull,
    errors: ['alert_not_found'],
  },
  listAlertRules: {
    tag: 'alerts',
    summary: 'Every alert rule: ready-made ones, those of the configuration and those of the API',
    answer: alerts.alertRuleList,
    errors: [],
  },
  createAlertRule: {
    tag: 'alerts',
    summary: 'Make an alert rule, which holds from then on',
    body: alerts.alertRule,
    answer: alerts.shownAlertRule,
    success: 201,
    errors: ['alert_rule_exists', ...alertRuleErrors.slice(1)],
  },
  showAlertRule: {
    ...onAlertRule,
    summary: 'One alert rule',
    answer: alerts.shownAlertRule,
    errors: ['alert_rule_not_found'],
  },
  replaceAlertRule: {
    ...onAlertRule,
    summary: 'Make another rule of one of the API',
    body: alerts.replaceAlertRule,
    answer: alerts.shownAlertRule,
    errors: alertRuleErrors,
  },
  deleteAlertRule: {
    ...onAlertRule,
    summary: 'Delete a rule of the API; what it found is over then',
    answer: alerts.deletedAlertRule,
    errors: alertRuleErrors,
  },
  listSilences: {
    tag: 'alerts',
    summary: 'Every silence that has not ended',
    answer: alerts.silenceList,
    errors: [],
  },
  createSilence: {
    tag: 'alerts',
    summary: 'Have nobody told of alerts that fit, until it ends',
    body: alerts.newSilence,
    answer: alerts.silence,
    success: 201,
    errors: ['state_conflict', 'storage_unavailable', 'shutting_down'],
  },
  endSilence: {
    tag: 'alerts',
    path: alerts.silencePath,
    summary: 'End a silence; what still fires is told then',
    answer: alerts.silence,
    errors: ['silence_not_found', 'storage_unavailable', 'shutting_down'],
  },

  listNotifiers: {
    tag: 'alerts',
    summary: 'Every notifier, of the configuration and of the API, without its secrets',
    answer: notifiers.notifierList,
    errors: [],
  },
  createNotifier: {
    tag: 'alerts',
    summary: 'Make a notifier, which is told from then on',
    body: notifiers.newNotifier,
    answer: notifiers.shownNotifier,
    success: 201,
    errors: ['notifier_exists', ...notifierErrors.slice(1)],
  },
  replaceNotifier: {
    ...onNotifier,
    summary: 'Make another notifier of one of the API',
    body: notifiers.replaceNotifier,
    answer: notifiers.shownNotifier,
    errors: notifierErrors,
  },
  deleteNotifier: {
    ...onNotifier,
    summary: 'Delete a notifier of the API, with what waits for it',
    answer: notifiers.deletedNotifier,
    errors: notifierErrors,
  },
  testNotifier: {
    ...onNotifier,
    summary: 'Send one notification to a notifier at once, and say what became of it',
    body: requests.emptyBody,
    answer: notifiers.testedNotifier,
    errors: ['notifier_not_found', 'notification_failed', 'state_conflict', 'shutting_down'],
  },

  listRules: {
    tag: 'routing',
    summary: 'Every rule, also those that routes of services make',
    answer: ruleRequests.ruleList,
    errors: [],
  },
  createRule: {
    tag: 'routing',
    summary: 'Make a rule, which holds from then on',
    body: ruleRequests.createRule,
    answer: rule,
    success: 201,
    errors: ['rule_exists', 'state_conflict', 'storage_unavailable', 'shutting_down'],
  },
  orderRules: {
    tag: 'routing',
    summary: 'Give rules priorities by which they come in this order',
    body: ruleRequests.orderRules,
    answer: ruleRequests.ruleList,
    errors: ruleErrors,
  },
  testRule: {
    tag: 'routing',
    summary: 'Which rule and which instance a request would get, and why',
    body: ruleRequests.testRule,
    answer: ruleRequests.ruleTest,
    errors: ['router_unavailable'],
  },
  showRule: { ...onRule, summary: 'One rule', answer: rule, errors: ['rule_not_found'] },
  replaceRule: {
    ...onRule,
    summary: 'Make another rule of one',
    body: ruleRequests.replaceRule,
    answer: rule,
    errors: ruleErrors,
  },
  deleteRule: { ...onRule, summary: 'Delete a rule', answer: ruleRequests.deletedRule, errors: ruleErrors },
  enableRule: {
    ...onRule,
    summary: 'Let a rule count again',
    body: requests.emptyBody,
    answer: rule,
    errors: ruleErrors,
  },
  disableRule: {
    ...onRule,
    summary: 'Let a rule not count, without deleting it',
    body: requests.emptyBody,
    answer: rule,
    errors: ruleErrors,
  },
  listConnections: {
    tag: 'routing',
    summary: 'The connections that clients have open with the routers, or a stream of what changes',
    query: traffic.connectionsQuery,
    answer: traffic.connectionList,
    stream: traffic.connectionChange,
    errors: ['router_unavailable'],
  },
  closeConnections: {
    tag: 'routing',
    summary: 'Close the connections that fit',
    query: traffic.closeConnectionsQuery,
    answer: traffic.closedConnections,
    errors: ['router_unavailable'],
  },
  closeConnection: {
    tag: 'routing',
    path: traffic.connectionPath,
    summary: 'Close one connection',
    answer: traffic.closedConnections,
    errors: ['connection_not_found', 'router_unavailable'],
  },
  showTraffic: {
    tag: 'routing',
    summary: 'What went through the routers, by service and instance',
    answer: traffic.traffic,
    errors: [],
  },
  serviceTraffic: {
    tag: 'routing',
    path: requests.servicePath,
    summary: 'What went through the routers to one service',
    answer: traffic.serviceTraffic,
    errors: ['service_not_found'],
  },
  listRouters: {
    tag: 'routing',
    summary: 'The routers that are connected, and whether they act by the newest table',
    answer: traffic.routerList,
    errors: [],
  },

  listEvents: {
    tag: 'agent',
    summary: 'What happened, oldest first, or a stream of it',
    query: requests.eventsQuery,
    answer: answers.eventList,
    stream: answers.event,
    errors: [],
  },
  live: {
    tag: 'agent',
    summary: 'Everything that moves, as one stream of server-sent events',
    query: live.liveQuery,
    answer: live.liveMessage,
    answer_type: 'text/event-stream',
    errors: ['shutting_down'],
  },
  agentInformation: {
    tag: 'agent',
    summary: 'The agent itself',
    answer: answers.agentInformation,
    errors: [],
  },
  showConfiguration: {
    tag: 'agent',
    summary: 'Every setting by which the agent runs, and where it comes from, without secrets',
    answer: agentConfiguration,
    errors: [],
  },
  doctor: {
    tag: 'agent',
    summary: 'What is wrong or missing on the host of the agent, and what to do about it',
    answer: doctorReport,
    errors: ['doctor_failed'],
  },
  showStats: {
    tag: 'agent',
    summary: 'How everything stands, in numbers',
    query: stats.statsQuery,
    answer: stats.stats,
    errors: [],
  },
  queryMetrics: {
    tag: 'agent',
    summary: 'What series were over a time, in steps',
    query: stats.metricsQuery,
    answer: stats.metricsAnswer,
    errors: ['service_not_found', 'not_supported', 'storage_unavailable'],
  },
  listSeries: {
    tag: 'agent',
    summary: 'The series of which a history is kept',
    answer: stats.seriesCatalogue,
    errors: [],
  },
  listOrphans: {
    tag: 'agent',
    summary: 'What runs of instances that no service has any more',
    answer: processes.orphanList,
    errors: [],
  },
  stopOrphan: {
    tag: 'agent',
    path: requests.orphanPath,
    summary: 'End an orphan with everything it started',
    body: requests.emptyBody,
    answer: processes.stoppedOrphan,
    errors: ['orphan_not_found', 'state_conflict', 'shutting_down'],
  },
  setLogLevel: {
    tag: 'agent',
    summary: "Set the level of the agent's own log until it ends",
    body: answers.logLevelSetting,
    answer: answers.logLevelSetting,
    errors: [],
  },

  signIn: {
    tag: 'access',
    summary: 'Begin a session of the web console with an API key or a token; its secret is a cookie',
    body: sessions.signIn,
    answer: sessions.session,
    success: 201,
    errors: [
      'invalid_request',
      'unauthenticated',
      'forbidden',
      'too_many_requests',
      'not_supported',
      'internal',
    ],
    secret: true,
  },
  showSession: {
    tag: 'access',
    summary: 'Who is signed in by the cookie, and how long',
    answer: sessions.session,
    errors: ['session_not_found'],
  },
  signOut: {
    tag: 'access',
    summary: 'End the session; its open streams end',
    answer: sessions.endedSessions,
    errors: ['session_not_found'],
  },
  signOutEverywhere: {
    tag: 'access',
    summary: 'End every session of whoever calls; their open streams end',
    answer: sessions.endedSessions,
    errors: [],
  },

  listKeys: {
    tag: 'access',
    summary: 'Every API key, without its secret',
    answer: answers.apiKeyList,
    errors: [],
  },
  createKey: {
    tag: 'access',
    summary: 'Make an API key; it is shown this once',
    body: requests.createKey,
    answer: answers.createdApiKey,
    success: 201,
    errors: ['storage_unavailable'],
    secret: true,
  },
  revokeKey: {
    tag: 'access',
    path: requests.keyPath,
    summary: 'Revoke an API key; its open streams end',
    answer: answers.apiKey,
    errors: ['key_not_found', 'state_conflict'],
  },
  listAudit: {
    tag: 'access',
    summary: 'Who did what, oldest first, page by page from the newest',
    query: audit.auditQuery,
    answer: audit.auditList,
    errors: [],
  },
} as const satisfies Record<string, Operation>;

export type OperationId = keyof typeof operationTable;
/** Every operation of the API by its id; which verb, path and permission it has stands in the agent's table of routes. */
export const operations: { readonly [Id in OperationId]: (typeof operationTable)[Id] } = operationTable;
