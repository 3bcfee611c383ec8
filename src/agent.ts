import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { createApp, routes } from './app.ts';
import type { LoadedConfig } from './config/load.ts';
import { ConfigReload, waitingText } from './config/reload.ts';
import { describeConfiguration } from './config/settings.ts';
import { ensureAdminKey } from './http/admin_key.ts';
import { agentHandlers } from './http/agent_handlers.ts';
import { alertHandlers, visibleAlerts } from './http/alert_handlers.ts';
import { ApiKeys } from './http/api_keys.ts';
import { artifactHandlers } from './http/artifact_handlers.ts';
import { createRequestAudit } from './http/audit.ts';
import { auditHandler } from './http/audit_handler.ts';
import { AuditLog } from './http/audit_log.ts';
import { batchHandler } from './http/batch_handler.ts';
import { configHandlers } from './http/config_handlers.ts';
import { connectionHandlers } from './http/connection_handlers.ts';
import { declarationHandlers } from './http/declaration_handlers.ts';
import { deploymentHandlers } from './http/deployment_handlers.ts';
import { Doctor } from './http/doctor.ts';
import { eventHandler } from './http/event_handlers.ts';
import { Gate } from './http/gate.ts';
import { healthHandler } from './http/health_handlers.ts';
import { historyHandlers } from './http/history_handlers.ts';
import { IdempotentAnswers } from './http/idempotency.ts';
import { instanceHandlers } from './http/instance_handlers.ts';
import { JwtVerifier } from './http/jwt.ts';
import { keyHandlers } from './http/key_handlers.ts';
import { createListener, isLoopback } from './http/listener.ts';
import { LiveChanges } from './http/live_changes.ts';
import { liveHandler } from './http/live_handler.ts';
import { LiveStreams } from './http/live_streams.ts';
import { logHandler } from './http/log_handlers.ts';
import { mergedLogHandler } from './http/merged_log_handler.ts';
import { metricsHandler } from './http/metrics_handler.ts';
import { MetricsListener } from './http/metrics_listener.ts';
import { notifierHandlers } from './http/notifier_handlers.ts';
import type { Principal } from './http/permission.ts';
import { processHandlers } from './http/process_handlers.ts';
import { createRequestMeter } from './http/request_meter.ts';
import { ruleHandlers } from './http/rule_handlers.ts';
import { runHandlers } from './http/run_handlers.ts';
import { serviceHandlers } from './http/service_handlers.ts';
import { SessionCookie } from './http/session_cookie.ts';
import { sessionHandlers } from './http/session_handlers.ts';
import { Sessions } from './http/sessions.ts';
import { silenceHandlers } from './http/silence_handlers.ts';
import { statsHandler, visibleStats } from './http/stats_handlers.ts';
import { Traces } from './http/traces.ts';
import { whyHandler } from './http/why_handler.ts';
import { openDatabase } from './lib/database.ts';
import { lockDirectory } from './lib/directory_lock.ts';
import { DavitError, errorMessage } from './lib/errors.ts';
import { ownCommand } from './lib/own_command.ts';
import { writePrivateFile } from './lib/private_file.ts';
import { createServiceManager } from './lib/service_manager.ts';
import { SoonOnDisk } from './lib/soon_on_disk.ts';
import { bytes, milliseconds } from './lib/units.ts';
import { commit, version } from './lib/version.ts';
import { ProbeCounts } from './metrics/exposition/probe_counts.ts';
import { createObservationPlane } from './observation_plane.ts';
import { createServicePlane } from './service_plane.ts';
import { Backups } from './services/backups.ts';
import { EventLog } from './services/event_log.ts';
import { migrations } from './services/schema.ts';

export interface AgentOptions {
  readonly loaded: LoadedConfig;
  readonly environment: NodeJS.ProcessEnv;
  readonly log: Logger;
}

/** The control plane on one host. */
export interface Agent {
  /** Takes up what runs and listens. Throws when the address is taken. */
  start(): Promise<void>;
  /** Takes over the configuration that `load` gives; when it throws, what there was stays. */
  reload(load: () => LoadedConfig): Promise<void>;
  /** Takes no new work, finishes what runs, and leaves services running unless the configuration says otherwise. */
  stop(): Promise<void>;
}

/**
 * The composition root: only here and in the plane of services do the parts of the agent meet.
 * Throws when another agent uses the data directory, or it cannot be written to.
 */
export function createAgent({ loaded, environment, log }: AgentOptions): Agent {
  const { config } = loaded;
  let current = config;
  let url = '';
  const inData = (...names: string[]) => join(config.data, ...names);
  const onProblem = (message: string) => log.warn(message);

  const unlock = useDataDirectory(config.data);
  const { database, problems } = openDatabase({
    file: inData('davit.db'),
    backups: inData('backups'),
    migrations,
  });
  const traces = new Traces();
  const events = new EventLog(database, onProblem, () => traces.current);
  const backups = new Backups({ database, folder: inData('backups'), onProblem });
  events.subscribe(() => backups.noteChange());
  const soonOnDisk = new SoonOnDisk(inData('davit.db'), onProblem);
  const probes = new ProbeCounts();
  const services = createServicePlane({
    database,
    events,
    environment,
    inData,
    settings: () => current,
    onCommit: () => soonOnDisk.ask(),
    onProbe: (result) => probes.take(result),
    onProblem,
  });
  const { deploy, registry, logs, orphans } = services;
  const observation = createObservationPlane({
    database,
    events,
    services,
    inData,
    settings: () => current,
    probes,
    url: () => url,
    warnings: () => facts.warnings(true).length,
    onProblem,
  });
  const metricsListener = new MetricsListener({
    settings: () => current,
    ownNames: [hostname()],
    source: observation.exposition,
    log,
    onProblem,
  });
  const streams = new LiveStreams();
  const onRevoked = ({ actor }: Principal) => streams.endWhere((principal) => principal.actor === actor);
  const keys = new ApiKeys({ database, onProblem, onRevoked });
  const tokens = new JwtVerifier({ issuers: config.jwt_issuers, onProblem });
  const sessions = new Sessions({
    database,
    keys,
    tokens,
    settings: () => current.console,
    onEnded: (fits) => streams.endWhere(fits),
    onProblem,
  });
  const cookie = new SessionCookie(sessions.cookieSuffix);
  const gate = new Gate({ settings: config, ownNames: [hostname()], keys, tokens, sessions, cookie });
  const auditLog = new AuditLog({ file: inData('audit.jsonl'), onProblem });
  const audit = createRequestAudit((record) => auditLog.append(record));
  const manager = createServiceManager({ environment, onWarning: onProblem });

  const doctor = new Doctor({ command: ownCommand(), loaded, environment });
  const warnings = [...problems, ...services.limitations];
  let isEnding = false;
  const facts = {
    started_at: new Date(),
    data: config.data,
    config_file: loaded.origins.file,
    url: () => url,
    warnings: (readsAll: boolean) => [
      ...warnings,
      ...orphans.warnings,
      ...services.traffic.warnings,
      ...(readsAll ? observation.warnings : []),
      ...metricsListener.warnings,
      ...reload.warnings,
    ],
    controlGroups: services.controlGroups,
    log,
    registry,
    configuration: () =>
      describeConfiguration({ started: loaded, current: reload.current, refused: reload.refusal }),
    diagnose: () => doctor.diagnose(),
  };
  const identity = { version, hostname: hostname(), started_at: facts.started_at.toISOString() };
  const live = new LiveChanges({
    registry,
    events,
    deployments: services.deployments,
    overview: {
      stats: (principal) => visibleStats(observation.stats, identity, principal, true),
      alerts: (principal) => visibleAlerts(observation.alerts, principal),
      onProblem,
    },
    onMeasured: (listener) => observation.measure.onMeasured(listener),
    onAlerts: (listener) => observation.alerts.subscribe(listener),
  });
  const app = createApp({
    routes: routes({
      services: serviceHandlers(registry, deploy.operations, deploy.changes),
      agent: agentHandlers(facts),
      processes: processHandlers(services.trees, orphans),
      artifacts: artifactHandlers(services.artifacts),
      configs: configHandlers(services.configs, deploy.seals),
      deployments: deploymentHandlers(registry, deploy.running, services.deployments),
      instances: instanceHandlers(registry, deploy.operations),
      runs: runHandlers(registry, services.runs),
      health: healthHandler(registry, services.monitor, services.healthHistory),
      why: whyHandler(services.why),
      rules: ruleHandlers(services.traffic, events),
      connections: connectionHandlers({ traffic: services.traffic, registry, events, streams }),
      keys: keyHandlers(keys, events),
      sessions: sessionHandlers({ sessions, cookie, gate }),
      batch: batchHandler(deploy),
      declarations: declarationHandlers(services.declarations),
      logs: logHandler(logs, registry, streams),
      mergedLogs: mergedLogHandler(logs, registry, streams),
      alerts: alertHandlers(observation.alerts, events),
      silences: silenceHandlers(observation.alerts.silences),
      notifiers: notifierHandlers(observation.outbox, events),
      events: eventHandler(events, streams),
      live: liveHandler(live, streams),
      stats: statsHandler(observation.stats, identity),
      history: historyHandlers(observation.history, registry),
      metrics: metricsHandler(observation.exposition),
      audit: auditHandler(auditLog),
    }),
    gate,
    meter: createRequestMeter((call) => observation.exposition.operations.take(call)),
    audit: audit.watch,
    idempotentAnswers: new IdempotentAnswers(database, onProblem),
    hasConsole: () => current.console !== false,
    isEnding: () => isEnding,
    bodyLimit: bytes(config.body_limit),
    artifacts: services.artifacts,
    traces,
    log,
  });
  const onCertificate = (problem: string | null) => {
    if (problem === null) log.info('the certificate was read again');
    else log.error(`${problem}; the one before stays`);
  };
  // The address is taken before anything else is touched; who calls before the agent is ready waits.
  const isReady = Promise.withResolvers<void>();
  const onRequest: RequestListener = (request, response) =>
    void isReady.promise.then(() => app(request, response));
  const { listen, tls } = config;
  const listener = createListener({ listen, tls, onRequest, onCertificate, onProblem });
  let endWatchdog = () => {};
  let reloads: Promise<void> = isReady.promise;
  const reload = new ConfigReload({
    loaded,
    parts: [
      ({ jwt_issuers }) => tokens.prepare(jwt_issuers),
      (next) => gate.prepare(next),
      ({ tls }) => listener.prepare(tls),
      (next, { changed }) =>
        () => {
          current = next;
          if (changed.includes('router')) services.traffic.reload();
          observation.reload();
          metricsListener.look();
          // What was set by hand stays until the file says something else than before.
          if (changed.includes('log_level')) log.level = next.log_level;
          // Whoever came by a token or from a network may not be allowed any more; they ask again.
          streams.endWhere(
            ({ actor, session }) =>
              !actor.startsWith('key:') ||
              changed.includes('allowed_networks') ||
              (session !== undefined && changed.includes('console')),
          );
          sessions.look();
        },
    ],
    onTaken: ({ changed }, waiting) => {
      const what = `the configuration was read again; changed: ${changed.join(', ') || 'nothing'}`;
      const message = waiting.length > 0 ? `${what}; ${waitingText(waiting)}` : what;
      events.record({ type: 'agent.configuration_reloaded', message });
      if (waiting.length > 0) log.warn(message);
      else log.info(message);
    },
    onRefused: (message) => {
      events.record({ type: 'agent.configuration_refused', message });
      log.error(message);
    },
  });

  const begin = async () => {
    if (problems.length > 0) {
      const message = problems.join('; ');
      log.error(message);
      events.record({ type: 'agent.state_set_aside', message });
    }
    const { made, problem } = ensureAdminKey(keys, inData('admin.key'));
    if (made) log.info(`an admin key was made: ${inData('admin.key')}`);
    if (problem !== null) warnings.push(problem);
    await services.takeUp();
    if (config.tls === null && !isLoopback(config.listen)) warnings.push(openToTheNetwork(config.listen));
    for (const warning of warnings.slice(problems.length)) log.warn(warning);
    const address = { url, pid: process.pid, ...(config.tls && { cert_file: config.tls.cert_file }) };
    showAddress(inData('agent.json'), address, onProblem);
    isReady.resolve();
    events.record({ type: 'agent.started', message: `Agent ${version} (${commit}) started` });
    log.info({ url, version, commit, pid: process.pid }, 'listening');
    services.begin((service, error) => log.error({ service }, errorMessage(error)));
    observation.begin();
    metricsListener.look();
    const onLook = () => orphans.warnings.map((warning) => onProblem(warning));
    orphans.look().then(onLook, (error) => onProblem(errorMessage(error)));
    endWatchdog = manager.startWatchdog(() => true);
    await manager.ready(`listening on ${url}`);
  };

  return {
    async start() {
      url = await listener.open();
      try {
        await begin();
      } catch (error) {
        void listener.close();
        listener.cut();
        throw error;
      }
    },

    reload(load) {
      // One after the other, and none before the agent is ready: systemd is told of each.
      reloads = reloads.then(async () => {
        if (isEnding) return;
        await manager.reloading();
        reload.take(load);
        await manager.ready(`listening on ${url}`);
      });
      return reloads;
    },

    async stop() {
      isEnding = true;
      await manager.stopping();
      endWatchdog();
      events.record({ type: 'agent.stopping', message: 'Agent is stopping' });
      const closed = listener.close();
      metricsListener.close();
      streams.close();
      doctor.close();
      const timeout = milliseconds(current.shutdown_timeout);
      await Promise.race([Promise.all([closed, services.idle()]), sleep(timeout, undefined, { ref: false })]);
      listener.cut();
      services.rest();
      if (current.stop_services || (await manager.isHostStopping())) await deploy.handover.stopAll();
      services.close();
      await observation.close();
      audit.close();
      await auditLog.close();
      sessions.close();
      keys.close();
      registry.close();
      events.flush();
      await backups.close();
      soonOnDisk.close();
      database.close();
      rmSync(inData('agent.json'), { force: true });
      log.info('ended');
      unlock();
    },
  };
}

function openToTheNetwork(listen: string): string {
  return `listening on ${listen} without TLS: keys and commands cross the network readable; set tls, or listen on 127.0.0.1`;
}

/** Lets the command line on this host find the agent. On a full disk it does not, which must keep no agent from its services. */
function showAddress(file: string, address: object, onProblem: (message: string) => void): void {
  try {
    writePrivateFile(file, `${JSON.stringify(address)}\n`);
  } catch (error) {
    onProblem(
      `davit on this host has to be told the address: ${file} cannot be written: ${errorMessage(error)}`,
    );
  }
}

/** Makes the data directory what it must be, the agent's own, and takes it. Returns what gives it free. */
function useDataDirectory(directory: string): () => void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    chmodSync(directory, 0o700);
  } catch (cause) {
    const message = `the data directory ${directory} cannot be used: ${errorMessage(cause)}`;
    throw new DavitError('storage_unavailable', message, { cause });
  }
  return lockDirectory(directory);
}
