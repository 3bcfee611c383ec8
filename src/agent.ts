import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { createApp, routes } from './app.ts';
import { ConfigReload, waitingText } from './config/reload.ts';
import type { Config } from './config/schema.ts';
import { Configs } from './configs/configs.ts';
import { readConnections } from './declarations/connections.ts';
import { Declarations } from './declarations/declarations.ts';
import { DeclarationMemory } from './declarations/memory.ts';
import { DeclarationWatcher } from './declarations/watcher.ts';
import { Operations } from './deploy/operations.ts';
import { ensureAdminKey } from './http/admin_key.ts';
import { agentHandlers } from './http/agent_handlers.ts';
import { ApiKeys } from './http/api_keys.ts';
import { createRequestAudit } from './http/audit.ts';
import { AuditLog } from './http/audit_log.ts';
import { batchHandler } from './http/batch_handler.ts';
import { configHandlers } from './http/config_handlers.ts';
import { declarationHandlers } from './http/declaration_handlers.ts';
import { eventHandler } from './http/event_handlers.ts';
import { Gate } from './http/gate.ts';
import { healthHandler } from './http/health_handlers.ts';
import { IdempotentAnswers } from './http/idempotency.ts';
import { instanceHandlers } from './http/instance_handlers.ts';
import { JwtVerifier } from './http/jwt.ts';
import { keyHandlers } from './http/key_handlers.ts';
import { createListener, isLoopback } from './http/listener.ts';
import { LiveStreams } from './http/live_streams.ts';
import { logHandler } from './http/log_handlers.ts';
import type { Principal } from './http/permission.ts';
import { processHandlers } from './http/process_handlers.ts';
import { runHandlers } from './http/run_handlers.ts';
import { serviceHandlers } from './http/service_handlers.ts';
import { whyHandler } from './http/why_handler.ts';
import { openDatabase } from './lib/database.ts';
import { lockDirectory } from './lib/directory_lock.ts';
import { DavitError, errorMessage } from './lib/errors.ts';
import { portRange } from './lib/port_range.ts';
import { writePrivateFile } from './lib/private_file.ts';
import { createServiceManager } from './lib/service_manager.ts';
import { SoonOnDisk } from './lib/soon_on_disk.ts';
import { bytes, milliseconds } from './lib/units.ts';
import { commit, version } from './lib/version.ts';
import { LogStore } from './logs/log_store.ts';
import { hostQuota, readRetention } from './logs/retention.ts';
import { findControlGroupPlace } from './processes/control_group.ts';
import { Ports } from './processes/ports.ts';
import { Runtime } from './processes/runtime.ts';
import { Backups } from './services/backups.ts';
import { EventLog } from './services/event_log.ts';
import { HealthHistory } from './services/health_history.ts';
import type { Instance } from './services/instance.ts';
import { Registry } from './services/registry.ts';
import { RunHistory } from './services/run_history.ts';
import { migrations } from './services/schema.ts';
import { ServiceStore } from './services/store.ts';
import { Dependencies } from './supervision/dependencies.ts';
import { HealthWatch } from './supervision/health_watch.ts';
import { Orphans } from './supervision/orphans.ts';
import { PortBook } from './supervision/port_book.ts';
import { Programs } from './supervision/programs.ts';
import { Reconciler } from './supervision/reconciler.ts';
import type { RunningInstance } from './supervision/running_instance.ts';
import { Scheduler } from './supervision/scheduler.ts';
import { Supervisor } from './supervision/supervisor.ts';
import { TreeView } from './supervision/tree_view.ts';
import { Why } from './supervision/why.ts';

export interface AgentOptions {
  readonly config: Config;
  readonly environment: NodeJS.ProcessEnv;
  readonly log: Logger;
}

/** The control plane on one host. */
export interface Agent {
  /** Takes up what runs and listens. Throws when the address is taken. */
  start(): Promise<void>;
  /** Takes over the configuration that `load` gives; when it throws, what there was stays. */
  reload(load: () => Config): Promise<void>;
  /** Takes no new work, finishes what runs, and leaves services running unless the configuration says otherwise. */
  stop(): Promise<void>;
}

/**
 * The composition root: the only place where the parts of the agent meet.
 * Throws when another agent uses the data directory, or it cannot be written to.
 */
export function createAgent({ config, environment, log }: AgentOptions): Agent {
  let current = config;
  const inData = (...names: string[]) => join(config.data, ...names);
  const onProblem = (message: string) => log.warn(message);

  const unlock = useDataDirectory(config.data);
  const { database, problems } = openDatabase({
    file: inData('davit.db'),
    backups: inData('backups'),
    migrations,
  });
  const events = new EventLog(database, onProblem);
  const backups = new Backups({ database, folder: inData('backups'), onProblem });
  events.subscribe(() => backups.noteChange());
  const soonOnDisk = new SoonOnDisk(inData('davit.db'), onProblem);
  const store = new ServiceStore(
    database,
    () => soonOnDisk.ask(),
    () => events.flush(),
  );
  const registry = new Registry(store, onProblem);
  const logs = new LogStore({
    directory: inData('logs'),
    retentionOf: (id) => (registry.find(id) === null ? null : readRetention(registry.spec(id).logs)),
    maxBytes: () => hostQuota(current.logs_max_size, inData('logs')),
    onProblem,
  });
  const passedVariables = () => current.pass_env;
  const runtime = new Runtime({
    directory: inData('instances'),
    controlGroups: findControlGroupPlace(config.cgroups),
    environment,
    onProblem,
  });
  const programs = new Programs({ agentEnvironment: environment, passedVariables });
  const runs = new RunHistory(database, onProblem);
  const healthHistory = new HealthHistory(database, onProblem);
  events.subscribe(({ type, service }) => {
    if (type === 'service.deleted' && service !== null) healthHistory.forget(service);
  });
  const ports = new Ports({ range: () => portRange(current.port_range) });
  const dependencies = new Dependencies(registry);
  const health = new HealthWatch({
    registry,
    events,
    runtime,
    programs,
    output: logs,
    onResult: (result) => healthHistory.record(result),
    onUnhealthy: (service, number, cause) => reconciler.restartUnhealthy(service, number, cause),
    onProblem,
  });
  const supervisor = new Supervisor({
    registry,
    runtime,
    onProblem,
    events,
    output: logs,
    programs,
    ports: new PortBook(registry, ports),
    onWatched: (instance, spec) => {
      health.watch(instance, spec);
      if (spec.type === 'task') noteRun(runs, instance);
    },
    onGone: ({ service }) => reconciler.look(service),
    onRunEnded: (run) => registry.spec(run.service).type === 'task' && runs.ended(run),
    lastFailedProbe: (service, number) => health.lastFailure(service, number),
  });
  const reconciler = new Reconciler({ registry, supervisor, events, dependencies, onProblem });
  const orphans = new Orphans({ registry, runtime, events });
  const operations = new Operations({
    registry,
    supervisor,
    reconciler,
    dependencies,
    events,
    forget: (service) => {
      configs.removeAll(service);
      return logs.remove(service);
    },
    refuseSecond: (service) => orphans.refuseSecond(service),
  });
  const configs = new Configs({
    directory: inData('configs'),
    registry,
    events,
    // As its first instance; a port that is chosen at each start is not known, and 0 stands for it.
    placeOf: (service) => {
      const spec = registry.spec(service);
      const port = spec.port === 'auto' ? 0 : spec.port;
      const release = registry.get(service).current_release;
      return programs.of({ service, instance: 1, release, port, spec });
    },
    restart: (service, actor) => operations.restart(service, undefined, actor),
    signal: (service, signal, actor) => operations.signal(service, signal, actor),
  });
  const scheduler = new Scheduler({
    registry,
    isRunning: (service) => registry.get(service).instances.some(isActive),
    run: (service, scheduledFor) => operations.runScheduled(service, scheduledFor),
    stopRun: (service) => operations.endRun(service),
    lastDue: (service) => runs.lastDue(service),
    onNotRun: (noted) => runs.noted(noted),
    onProblem,
  });
  const why = new Why({
    registry,
    events,
    lastLines: async ({ service, instance, release, lines }) =>
      (await logs.query(service, { lines, release, instance: instance ?? undefined })).lines,
    onProblem,
  });
  const declarationMemory = new DeclarationMemory(inData('declarations.json'), onProblem);
  const declarations = new Declarations({
    registry,
    operations,
    planKey: declarationMemory.planKey,
    readConnections,
  });
  const watcher = new DeclarationWatcher({
    declarations,
    registry,
    events,
    memory: declarationMemory,
    settings: () => current,
    onProblem,
  });
  const streams = new LiveStreams();
  const onRevoked = ({ actor }: Principal) => streams.endWhere((principal) => principal.actor === actor);
  const keys = new ApiKeys({ database, onProblem, onRevoked });
  const tokens = new JwtVerifier({ issuers: config.jwt_issuers, onProblem });
  const gate = new Gate({ settings: config, ownNames: [hostname()], keys, tokens });
  const auditLog = new AuditLog({ file: inData('audit.jsonl'), onProblem });
  const audit = createRequestAudit((record) => auditLog.append(record));
  const manager = createServiceManager({ environment, onWarning: onProblem });

  const warnings = [...problems, ...runtime.limitations];
  let url = '';
  let isEnding = false;
  const facts = {
    started_at: new Date(),
    data: config.data,
    url: () => url,
    warnings: () => [...warnings, ...orphans.warnings, ...reload.warnings],
    controlGroups: runtime.controlGroups,
    log,
    registry,
  };
  const app = createApp({
    routes: routes({
      services: serviceHandlers(registry, operations),
      agent: agentHandlers(facts),
      processes: processHandlers(new TreeView(registry, runtime), orphans),
      configs: configHandlers(configs),
      instances: instanceHandlers(registry, operations),
      runs: runHandlers(registry, runs),
      health: healthHandler(registry, health.monitor, healthHistory),
      why: whyHandler(why),
      keys: keyHandlers(keys, events),
      batch: batchHandler(operations),
      declarations: declarationHandlers(declarations),
      logs: logHandler(logs, registry, streams),
      events: eventHandler(events, streams),
      audit: async ({ query }) => ({ records: await auditLog.list({ limit: Number(query.limit ?? 100) }) }),
    }),
    gate,
    audit: audit.watch,
    idempotentAnswers: new IdempotentAnswers(database, onProblem),
    isEnding: () => isEnding,
    bodyLimit: bytes(config.body_limit),
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
    config,
    parts: [
      ({ jwt_issuers }) => tokens.prepare(jwt_issuers),
      (next) => gate.prepare(next),
      ({ tls }) => listener.prepare(tls),
      (next, { changed }) =>
        () => {
          current = next;
          // What was set by hand stays until the file says something else than before.
          if (changed.includes('log_level')) log.level = next.log_level;
          // Whoever came by a token or from a network may not be allowed any more; they ask again.
          streams.endWhere(({ actor }) => !actor.startsWith('key:') || changed.includes('allowed_networks'));
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
    const awakeUntil = events.lastTime;
    await supervisor.takeUp();
    logs.keepWithinBounds();
    configs.tidy();
    if (config.tls === null && !isLoopback(config.listen)) warnings.push(openToTheNetwork(config.listen));
    for (const warning of warnings.slice(problems.length)) log.warn(warning);
    showAddress(inData('agent.json'), url, onProblem);
    isReady.resolve();
    events.record({ type: 'agent.started', message: `Agent ${version} (${commit}) started` });
    log.info({ url, version, commit, pid: process.pid }, 'listening');
    const onFailure = (id: string) => (error: unknown) => log.error({ service: id }, errorMessage(error));
    for (const { id } of registry.services()) operations.finish(id).catch(onFailure(id));
    reconciler.begin();
    scheduler.start(awakeUntil);
    watcher.start();
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
      streams.close();
      const timeout = milliseconds(current.shutdown_timeout);
      await Promise.race([
        Promise.all([closed, watcher.close(), registry.lock.idle()]),
        sleep(timeout, undefined, { ref: false }),
      ]);
      listener.cut();
      scheduler.close();
      reconciler.close();
      health.close();
      healthHistory.close();
      if (current.stop_services || (await manager.isHostStopping())) await operations.stopAll('agent');
      logs.close();
      runtime.close();
      ports.close();
      audit.close();
      await auditLog.close();
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

/** Whether a run of a task has not ended, which is also so between two attempts of one. */
function isActive({ process, state }: Instance): boolean {
  return process !== null || state === 'backoff' || state === 'starting';
}

/** One that was taken up has been noted by the agent that started it. */
function noteRun(
  runs: RunHistory,
  { service, number, run, facts, trigger, scheduled_for }: RunningInstance,
): void {
  if (trigger === null) return;
  runs.started({ service, instance: number, run, release: facts.release, trigger, scheduled_for });
}

function openToTheNetwork(listen: string): string {
  return `listening on ${listen} without TLS: keys and commands cross the network readable; set tls, or listen on 127.0.0.1`;
}

/** Lets the command line on this host find the agent. On a full disk it does not, which must keep no agent from its services. */
function showAddress(file: string, url: string, onProblem: (message: string) => void): void {
  try {
    writePrivateFile(file, `${JSON.stringify({ url, pid: process.pid })}\n`);
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
