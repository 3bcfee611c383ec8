import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { Artifacts } from './artifacts/artifacts.ts';
import { routerProcesses, routerSettings } from './config/router.ts';
import type { Config } from './config/schema.ts';
import { Configs } from './configs/configs.ts';
import { readConnections } from './declarations/connections.ts';
import { Declarations } from './declarations/declarations.ts';
import { DeclarationMemory } from './declarations/memory.ts';
import { DeclarationWatcher } from './declarations/watcher.ts';
import { createDeployPlane } from './deploy/deploy_plane.ts';
import { portRange } from './lib/port_range.ts';
import { bytes } from './lib/units.ts';
import { LogStore } from './logs/log_store.ts';
import { hostQuota, readRetention } from './logs/retention.ts';
import { resolveAccount } from './processes/account.ts';
import { findControlGroupPlace } from './processes/control_group.ts';
import { Ports } from './processes/ports.ts';
import { Runtime } from './processes/runtime.ts';
import { DeploymentHistory } from './services/deployment_history.ts';
import type { EventLog } from './services/event_log.ts';
import { HealthHistory, type ProbeFact } from './services/health_history.ts';
import type { Instance } from './services/instance.ts';
import { Registry } from './services/registry.ts';
import { RunHistory } from './services/run_history.ts';
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
import { RouterTraffic } from './traffic/traffic.ts';

interface ServicePlaneOptions {
  readonly database: DatabaseSync;
  readonly events: EventLog;
  /** The agent's own. */
  readonly environment: NodeJS.ProcessEnv;
  /** A place in the data directory. */
  readonly inData: (...names: string[]) => string;
  /** As they are now: they may change while the agent runs. */
  readonly settings: () => Config;
  /** Told of each write that must outlive a power cut. */
  readonly onCommit: () => void;
  /** Told of every probe. */
  readonly onProbe: (result: ProbeFact) => void;
  readonly onProblem: (message: string) => void;
}

/** Makes the parts of the agent that keep services as they are wanted, and know nothing of who asks, and puts them together. */
export function createServicePlane(options: ServicePlaneOptions) {
  const { database, events, environment, inData, settings, onCommit, onProbe, onProblem } = options;
  const store = new ServiceStore(database, onCommit, () => events.flush());
  const registry = new Registry(store, onProblem);
  const logs = new LogStore({
    directory: inData('logs'),
    retentionOf: (id) => (registry.find(id) === null ? null : readRetention(registry.spec(id).logs)),
    maxBytes: () => hostQuota(settings().logs_max_size, inData('logs')),
    onProblem,
  });
  const runtime = new Runtime({
    directory: inData('instances'),
    controlGroups: findControlGroupPlace(settings().cgroups),
    environment,
    onProblem,
  });
  const artifacts = new Artifacts({
    registry,
    uploads: inData('uploads'),
    root: settings().artifacts ?? artifactsBeside(inData()),
    agent: inData(),
    limits: () => {
      const { artifact_limit, artifact_unpacked_limit, artifacts_kept } = settings();
      return { size: bytes(artifact_limit), unpacked: bytes(artifact_unpacked_limit), count: artifacts_kept };
    },
    ownerOf: ({ user, group }) => resolveAccount(user, group).switch_to,
    onProblem,
  });
  const programs = new Programs({
    agentEnvironment: environment,
    passedVariables: () => settings().pass_env,
    artifactDirectory: (service, sha256, { switch_to }) => artifacts.directory(service, sha256, switch_to),
  });
  const runs = new RunHistory(database, onProblem);
  const healthHistory = new HealthHistory(database, onProblem);
  const deployments = new DeploymentHistory(database, onProblem);
  events.subscribe(({ type, service }) => {
    if (type === 'service.deleted' && service !== null) healthHistory.forget(service);
  });
  const ports = new Ports({ range: () => portRange(settings().port_range) });
  const dependencies = new Dependencies(registry);
  const health = new HealthWatch({
    registry,
    events,
    runtime,
    programs,
    output: logs,
    onResult: (result) => {
      healthHistory.record(result);
      onProbe(result);
    },
    onUnhealthy: (service, number, cause) => reconciler.restartUnhealthy(service, number, cause),
    onProblem,
  });
  const supervisor = new Supervisor({
    registry,
    runtime,
    prepareFiles: (service, spec) => artifacts.prepare(service, spec),
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
  const traffic = new RouterTraffic({
    database,
    registry,
    directory: inData('router'),
    settings: () => {
      const { router } = settings();
      return router && routerSettings(router);
    },
    onCommit,
    onProblem,
  });
  const deploy = createDeployPlane({
    registry,
    traffic,
    supervisor,
    reconciler,
    dependencies,
    events,
    forget: async (service) => {
      configs.removeAll(service);
      await artifacts.forget(service);
      await logs.remove(service);
    },
    requiresSealed: () => settings().require_sealed,
    refuseSecond: (service) => orphans.refuseSecond(service),
    history: deployments,
    onProblem,
  });
  const { operations, changes, ownServices, scheduledRuns, handover } = deploy;
  const configs = new Configs({
    directory: inData('configs'),
    registry,
    events,
    // As its first instance; a port that is yet to be chosen is not known, and 0 stands for it.
    placeOf: (service) => {
      const spec = registry.spec(service);
      const port = spec.port === 'auto' ? (registry.get(service).instances[0]?.port ?? 0) : spec.port;
      const release = registry.get(service).current_release;
      return programs.of({ service, instance: 1, release, port, spec });
    },
    restart: (service, actor) => operations.restart(service, actor),
    signal: (service, signal, actor) => operations.signal(service, signal, actor),
  });
  const scheduler = new Scheduler({
    registry,
    isRunning: (service) => registry.get(service).instances.some(isActive),
    run: (service, scheduledFor) => scheduledRuns.start(service, scheduledFor),
    stopRun: (service) => scheduledRuns.end(service),
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
    operations: {
      start: (...given) => operations.start(...given),
      declare: (...given) => changes.declare(...given),
      delete: (...given) => changes.delete(...given),
    },
    planKey: declarationMemory.planKey,
    readConnections,
  });
  const watcher = new DeclarationWatcher({
    declarations,
    registry,
    events,
    memory: declarationMemory,
    settings,
    onProblem,
  });

  let awakeUntil: Date | null = null;
  return {
    registry,
    artifacts,
    deploy,
    logs,
    orphans,
    configs,
    runs,
    deployments,
    why,
    declarations,
    healthHistory,
    monitor: health.monitor,
    traffic,
    trees: new TreeView(registry, runtime),
    /** What this host or this account keeps from it, in sentences. */
    limitations: runtime.limitations,
    controlGroups: runtime.controlGroups,

    /** Takes up what an earlier agent left. Nothing is started by it. */
    async takeUp(): Promise<void> {
      awakeUntil = events.lastTime;
      await supervisor.takeUp();
      traffic.listen();
      logs.keepWithinBounds();
      configs.tidy();
      await artifacts.begin();
    },

    /** Brings to an end what was under way, and begins to act by itself. */
    begin(onFailure: (service: string, error: unknown) => void): void {
      handover.begin();
      for (const { id } of registry.services()) handover.finish(id).catch((error) => onFailure(id, error));
      reconciler.begin();
      scheduler.start(awakeUntil);
      watcher.start();
      traffic.begin({
        wanted: () => {
          const { router } = settings();
          return router && { processes: routerProcesses(router), drain_timeout: router.drain_timeout };
        },
        keepOwn: (id, spec) => ownServices.keep(id, spec),
        endOwn: (id) => ownServices.end(id),
      });
    },

    /** Resolves when nothing is under way any more. */
    async idle(): Promise<void> {
      handover.interrupt();
      await Promise.all([watcher.close(), registry.lock.idle()]);
    },

    /** Does nothing by itself any more. */
    rest(): void {
      traffic.rest();
      scheduler.close();
      reconciler.close();
      health.close();
      healthHistory.close();
      artifacts.close();
    },

    /** What runs stays. */
    close(): void {
      traffic.close();
      logs.close();
      runtime.close();
      ports.close();
    },
  };
}

export type ServicePlane = ReturnType<typeof createServicePlane>;

/** The data directory is the agent's alone, so that what other accounts run cannot stand in it. */
function artifactsBeside(data: string): string {
  return process.geteuid?.() === 0 ? `${data}-artifacts` : join(data, 'artifacts');
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
