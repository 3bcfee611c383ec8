import { randomUUID } from 'node:crypto';
import express, {
  type Express,
  type NextFunction,
  type Request,
  type RequestHandler,
  type Response,
} from 'express';
import helmet from 'helmet';
import type { Logger } from 'pino';
import type { Artifacts } from './artifacts/artifacts.ts';
import { declarationJsonSchema } from './contract/declaration.ts';
import { type OperationId, operations } from './contract/operations.ts';
import { archiveBody } from './http/archive_body.ts';
import { consolePages } from './http/console_pages.ts';
import { yamlBody } from './http/declaration_handlers.ts';
import { authorize, dispatch } from './http/dispatch.ts';
import { docsPage } from './http/docs_page.ts';
import { answerErrors, answerUnknownRoutes } from './http/errors.ts';
import type { Gate } from './http/gate.ts';
import type { Handlers } from './http/handlers.ts';
import type { IdempotentAnswers } from './http/idempotency.ts';
import { openApiDocument } from './http/openapi.ts';
import { type Handler, type Permission, type Route, some } from './http/route.ts';
import type { Traces } from './http/traces.ts';
import { DavitError } from './lib/errors.ts';
import { version } from './lib/version.ts';

/** Every route of the product: verb, path, permission, operation, handler. */
export function routes(handle: Handlers): Route[] {
  const { services, agent } = handle;
  const api = '/api/v1';
  const service = `${api}/services/{id}`;
  return [
    route('get', '/health', 'public', 'health', agent.health),
    route('get', '/metrics', 'metrics', 'metrics', handle.metrics),

    // The pipeline contract.
    route('post', '/service/{id}/deploy', 'deploy', 'deployService', services.deploy),
    route('post', '/service/{id}/restart', 'operate', 'restartService', services.restart),
    route('post', '/service/{id}/stop', 'operate', 'stopService', services.stop),
    route('get', '/service/{id}/status', 'read', 'serviceStatus', services.status),
    route('get', '/service/{id}/logs', 'read', 'serviceLogs', handle.logs),
    route('get', '/services', some('read'), 'allStatuses', services.statuses),

    route('get', `${api}/services`, some('read'), 'listServices', services.list),
    route('post', `${api}/services`, some('deploy'), 'createService', services.create),
    route('get', service, 'read', 'showService', services.show),
    route('patch', service, 'deploy', 'updateService', services.update),
    route('delete', service, 'deploy', 'deleteService', services.delete),
    route('post', `${service}/deploy`, 'deploy', 'deployService', services.deploy),
    route('post', `${service}/start`, 'operate', 'startService', services.start),
    route('post', `${service}/stop`, 'operate', 'stopService', services.stop),
    route('post', `${service}/restart`, 'operate', 'restartService', services.restart),
    route('post', `${service}/signal`, 'operate', 'signalService', services.signal),
    route('post', `${service}/pause`, 'operate', 'pauseService', services.pause),
    route('post', `${service}/resume`, 'operate', 'resumeService', services.resume),
    route('post', `${service}/rollback`, 'deploy', 'rollbackService', services.rollback),
    route('get', `${service}/status`, 'read', 'serviceStatus', services.status),
    route('get', `${service}/logs`, 'read', 'serviceLogs', handle.logs),
    route('post', `${service}/scale`, 'operate', 'scaleService', handle.instances.scale),
    route('get', `${service}/instances`, 'read', 'listInstances', handle.instances.list),
    route(
      'post',
      `${service}/instances/{instance}/restart`,
      'operate',
      'restartInstance',
      handle.instances.restart,
    ),
    route('get', `${service}/why`, 'read', 'whyService', handle.why),
    route('get', `${service}/health`, 'read', 'serviceHealth', handle.health),
    route('get', `${service}/runs`, 'read', 'listRuns', handle.runs.list),
    route('get', `${service}/processes`, 'read', 'listProcesses', handle.processes.list),
    route('get', `${service}/deployments`, 'read', 'listDeployments', handle.deployments.list),
    route('get', `${service}/deployments/{deployment}`, 'read', 'showDeployment', handle.deployments.show),
    route(
      'post',
      `${service}/deployments/{deployment}/cancel`,
      'deploy',
      'cancelDeployment',
      handle.deployments.cancel,
    ),
    route(
      'post',
      `${service}/deployments/{deployment}/promote`,
      'deploy',
      'promoteDeployment',
      handle.deployments.promote,
    ),
    route('get', `${service}/releases`, 'read', 'listReleases', services.releases),
    route('get', `${service}/releases/{release}`, 'read', 'showRelease', services.release),
    route('get', `${service}/artifacts`, 'read', 'listArtifacts', handle.artifacts.list),
    route('post', `${service}/artifact`, 'deploy', 'uploadArtifact', handle.artifacts.upload),
    route('get', `${service}/configs`, 'read', 'listConfigs', handle.configs.list),
    route('get', `${service}/configs/{name}`, 'deploy', 'showConfig', handle.configs.show),
    route('put', `${service}/configs/{name}`, 'deploy', 'replaceConfig', handle.configs.replace),
    route('get', `${service}/configs/{name}/versions`, 'read', 'listConfigVersions', handle.configs.versions),
    route(
      'get',
      `${service}/configs/{name}/versions/{version}`,
      'deploy',
      'showConfigVersion',
      handle.configs.version,
    ),
    route('get', `${service}/configs/{name}/diff`, 'deploy', 'diffConfig', handle.configs.diff),
    route('post', `${service}/configs/{name}/rollback`, 'deploy', 'rollbackConfig', handle.configs.rollback),
    route('post', `${api}/plan`, some('deploy'), 'planDeclaration', handle.declarations.plan),
    route('post', `${api}/apply`, some('deploy'), 'applyDeclaration', handle.declarations.apply),
    route('post', `${api}/batch`, some('operate'), 'batch', handle.batch),

    route('get', `${api}/rules`, some('read'), 'listRules', handle.rules.list),
    route('post', `${api}/rules`, some('deploy'), 'createRule', handle.rules.create),
    route('put', `${api}/rules/order`, some('deploy'), 'orderRules', handle.rules.order),
    route('post', `${api}/rules/test`, some('read'), 'testRule', handle.rules.test),
    route('get', `${api}/rules/{rule_id}`, some('read'), 'showRule', handle.rules.show),
    route('put', `${api}/rules/{rule_id}`, some('deploy'), 'replaceRule', handle.rules.replace),
    route('delete', `${api}/rules/{rule_id}`, some('deploy'), 'deleteRule', handle.rules.remove),
    route('post', `${api}/rules/{rule_id}/enable`, some('deploy'), 'enableRule', handle.rules.enable),
    route('post', `${api}/rules/{rule_id}/disable`, some('deploy'), 'disableRule', handle.rules.disable),
    route('get', `${api}/connections`, some('read'), 'listConnections', handle.connections.list),
    route('delete', `${api}/connections`, some('operate'), 'closeConnections', handle.connections.close),
    route(
      'delete',
      `${api}/connections/{connection_id}`,
      some('operate'),
      'closeConnection',
      handle.connections.closeOne,
    ),
    route('get', `${api}/traffic`, some('read'), 'showTraffic', handle.connections.traffic),
    route('get', `${service}/traffic`, 'read', 'serviceTraffic', handle.connections.ofService),
    route('get', `${api}/routers`, some('read'), 'listRouters', handle.connections.routers),

    route('get', `${api}/alerts`, some('read'), 'listAlerts', handle.alerts.list),
    route('get', `${api}/alerts/{alert_id}`, some('read'), 'showAlert', handle.alerts.show),
    route('get', `${api}/alert_rules`, some('read'), 'listAlertRules', handle.alerts.rules),
    route('post', `${api}/alert_rules`, some('deploy'), 'createAlertRule', handle.alerts.create),
    route('get', `${api}/alert_rules/{rule_name}`, some('read'), 'showAlertRule', handle.alerts.rule),
    route('put', `${api}/alert_rules/{rule_name}`, some('deploy'), 'replaceAlertRule', handle.alerts.replace),
    route(
      'delete',
      `${api}/alert_rules/{rule_name}`,
      some('deploy'),
      'deleteAlertRule',
      handle.alerts.remove,
    ),
    route('get', `${api}/silences`, some('read'), 'listSilences', handle.silences.list),
    route('post', `${api}/silences`, some('operate'), 'createSilence', handle.silences.create),
    route('delete', `${api}/silences/{silence_id}`, some('operate'), 'endSilence', handle.silences.end),
    route('get', `${api}/notifiers`, 'read', 'listNotifiers', handle.notifiers.list),
    route('post', `${api}/notifiers`, 'deploy', 'createNotifier', handle.notifiers.create),
    route('put', `${api}/notifiers/{notifier_name}`, 'deploy', 'replaceNotifier', handle.notifiers.replace),
    route('delete', `${api}/notifiers/{notifier_name}`, 'deploy', 'deleteNotifier', handle.notifiers.remove),
    route('post', `${api}/notifiers/{notifier_name}/test`, 'operate', 'testNotifier', handle.notifiers.test),

    route('get', `${api}/events`, some('read'), 'listEvents', handle.events),
    route('get', `${api}/live`, some('read'), 'live', handle.live),
    route('get', `${api}/logs`, some('read'), 'mergedLogs', handle.mergedLogs),
    route('get', `${api}/stats`, some('read'), 'showStats', handle.stats),
    route('get', `${api}/metrics/query`, some('read'), 'queryMetrics', handle.history.query),
    route('get', `${api}/metrics/series`, some('read'), 'listSeries', handle.history.catalogue),
    route('get', `${api}/agent`, some('read'), 'agentInformation', agent.information),
    route('get', `${api}/agent/configuration`, 'admin', 'showConfiguration', agent.configuration),
    route('get', `${api}/agent/doctor`, 'admin', 'doctor', agent.doctor),
    route('put', `${api}/agent/log_level`, 'admin', 'setLogLevel', agent.setLogLevel),
    route('get', `${api}/orphans`, 'admin', 'listOrphans', handle.processes.orphans),
    route('post', `${api}/orphans/{instance_id}/stop`, 'admin', 'stopOrphan', handle.processes.stopOrphan),
    route('post', `${api}/session`, 'public', 'signIn', handle.sessions.signIn),
    route('get', `${api}/session`, some('metrics'), 'showSession', handle.sessions.show),
    route('delete', `${api}/session`, some('metrics'), 'signOut', handle.sessions.signOut),
    route(
      'delete',
      `${api}/sessions`,
      some('metrics'),
      'signOutEverywhere',
      handle.sessions.signOutEverywhere,
    ),
    route('get', `${api}/keys`, 'admin', 'listKeys', handle.keys.list),
    route('post', `${api}/keys`, 'admin', 'createKey', handle.keys.create),
    route('delete', `${api}/keys/{key_id}`, 'admin', 'revokeKey', handle.keys.revoke),
    route('get', `${api}/audit`, 'admin', 'listAudit', handle.audit),
  ];
}

function route<Id extends OperationId>(
  verb: Route['verb'],
  path: string,
  permission: Permission,
  id: Id,
  handler: Handler<(typeof operations)[Id]>,
): Route {
  return { verb, path, permission, id, operation: operations[id], handler: handler as Handler<never> };
}

interface AppOptions {
  readonly routes: readonly Route[];
  readonly gate: Gate;
  /** Counts calls and their durations. */
  readonly meter: RequestHandler;
  /** Writes down what was asked, and what came of it. */
  readonly audit: RequestHandler;
  readonly idempotentAnswers: IdempotentAnswers;
  /** Whether there is a console. */
  readonly hasConsole: () => boolean;
  /** Whether the agent ends: it takes no new work then. */
  readonly isEnding: () => boolean;
  /** The largest request body, in bytes. */
  readonly bodyLimit: number;
  /** Where bodies go that are archives. */
  readonly artifacts: Artifacts;
  /** Knows which trace a call belongs to. */
  readonly traces: Traces;
  readonly log: Logger;
}

/** The largest body, in bytes, of whoever has not proven who it is. */
const publicBodyLimit = 20_000;

/** The Express app: what stands before every route, the table of routes, and what answers everything else. */
export function createApp(options: AppOptions): Express {
  const {
    routes,
    gate,
    meter,
    audit,
    idempotentAnswers,
    hasConsole,
    isEnding,
    bodyLimit,
    artifacts,
    traces,
    log,
  } = options;
  const app = express();
  // Strict: a client whose variable is empty asks for /services/, and must not get the whole collection for it.
  app
    .disable('x-powered-by')
    .disable('etag')
    .set('query parser', 'simple')
    .set('case sensitive routing', true)
    .set('strict routing', true);
  app.use(assignRequestId, meter, headers, audit, ...gate.admit, refuseNewWork(isEnding));
  for (const { verb, path, permission, operation, id, handler } of routes) {
    const line: Route = { verb, path, permission, operation, id, handler };
    // A credential in the body of a public call is proven, and counted, by its handler.
    const open = operation.body ? [] : [gate.limitUnproven];
    const guards = permission === 'public' ? open : [...gate.authenticate, authorize(permission)];
    const limit = permission === 'public' ? Math.min(bodyLimit, publicBodyLimit) : bodyLimit;
    const json = express.json({ limit, inflate: false, type: () => true });
    const body = [
      ...(operation.archive
        ? [archiveBody({ artifacts, bodyLimit, isOnly: operation.archive === 'only' })]
        : []),
      ...(operation.body ? [...(operation.yaml ? yamlBody(bodyLimit) : []), json] : []),
    ];
    const act = dispatch(line, idempotentAnswers);
    const traced = permission === 'public' ? act : traces.within(act);
    app[verb](expressPath(path), nameOperation(id), ...guards, ...body, traced);
  }
  const readable = [...gate.authenticateBrowser, authorize(some('read'))];
  const document = openApiDocument(routes, version);
  app.get('/openapi.json', ...readable, (_request, response) => void response.json(document));
  app.get('/schema/davit.yaml.json', ...readable, (_request, response) => {
    response.type('application/schema+json').send(JSON.stringify(declarationJsonSchema(), null, 2));
  });
  for (const { path, handler } of docsPage()) app.get(path, ...readable, docsHeaders, handler);
  app.use(consolePages(hasConsole));
  app.use(
    ...gate.authenticate,
    answerUnknownRoutes((path) => verbsOf(routes, path)),
  );
  app.use(answerErrors(log));
  return app;
}

/** Nothing but our own pages is ever shown. */
const contentSecurityPolicy = {
  useDefaults: false,
  directives: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    imgSrc: ["'self'", 'data:'],
    connectSrc: ["'self'"],
    baseUri: ["'none'"],
    formAction: ["'none'"],
    frameAncestors: ["'none'"],
  },
};
// What else runs under names below that of this host decides for itself.
const headers = helmet({ contentSecurityPolicy, strictTransportSecurity: { includeSubDomains: false } });

/** For the attributes that the library of that page writes. */
const docsHeaders = helmet.contentSecurityPolicy({
  ...contentSecurityPolicy,
  directives: { ...contentSecurityPolicy.directives, styleSrc: ["'self'", "'unsafe-inline'"] },
});

function assignRequestId(request: Request, response: Response, next: NextFunction): void {
  const given = request.get('X-Request-Id');
  const id = given !== undefined && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
  response.locals['request_id'] = id;
  response.set('X-Request-Id', id);
  next();
}

/** While the agent ends it answers what is asked, but begins nothing; and it keeps no connection for another request. */
function refuseNewWork(isEnding: () => boolean): RequestHandler {
  return (request, response, next) => {
    if (!isEnding()) return next();
    response.set('Connection', 'close');
    if (request.method === 'GET') return next();
    throw new DavitError(
      'shutting_down',
      'the agent is ending and takes no new work; try again when it is back',
    );
  };
}

/** For the audit: what the call is named in the contract, and which service it is about. */
function nameOperation(id: OperationId): RequestHandler {
  return (request, response, next) => {
    response.locals['operation'] = id;
    response.locals['service'] = request.params['id'];
    next();
  };
}

function expressPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}

function verbsOf(routes: readonly Route[], path: string): string[] {
  const fits = (template: string) => new RegExp(`^${template.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path);
  return routes.filter((line) => fits(line.path)).map(({ verb }) => verb.toUpperCase());
}
