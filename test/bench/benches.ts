import { measureConnectionsPage } from './console/parts/connections.ts';
import { measureFirstLoad } from './console/parts/first_load.ts';
import { measureLogPage } from './console/parts/logs.ts';
import { measureServicePages } from './console/parts/services.ts';
import { prepareConsole } from './console/stage.ts';
import { prepareContenders } from './contenders.ts';
import { measureAdoption } from './parts/adoption.ts';
import { measureCapture } from './parts/capture.ts';
import { measureBatchDeploys } from './parts/deploy_batch.ts';
import { measureDefaultDeploys } from './parts/deploy_default.ts';
import { measureSingleDeploys } from './parts/deploy_single.ts';
import { measureFollow } from './parts/follow.ts';
import { measureHistory } from './parts/history.ts';
import { measureIdle } from './parts/idle.ts';
import { measureIdleServices } from './parts/idle_services.ts';
import { measureKills } from './parts/kills.ts';
import { measureMetrics } from './parts/metrics.ts';
import { measureProbes } from './parts/probes.ts';
import { measureQuery } from './parts/query.ts';
import { measureRecovery } from './parts/recovery.ts';
import { measureRestarts } from './parts/restart.ts';
import { measureRestartLoop } from './parts/restart_loop.ts';
import { measureStatus } from './parts/status.ts';
import { measureSteady } from './parts/steady.ts';
import { measureStop } from './parts/stop.ts';
import { measureUsage } from './parts/usage.ts';
import type { Report } from './report.ts';
import { measureAccessLog } from './router/parts/access_log.ts';
import { measureWebSocketConnects } from './router/parts/connects.ts';
import { measureHttp, measureHttpWithTwo } from './router/parts/http.ts';
import { measureIdleConnections } from './router/parts/idle_connections.ts';
import { measureMessages } from './router/parts/messages.ts';
import { prepareProxies } from './router/proxies.ts';
import type { Measurement, Run } from './run.ts';
import type { Sandbox } from './sandbox.ts';

type Prepare<Compared> = (
  sandbox: Sandbox,
  fromSource: boolean,
) => Promise<Compared & { readonly versions: Readonly<Record<string, string>> }>;

/** A list of measurements that are made in one run, one after another, and what they compare. */
export interface Bench {
  readonly parts: readonly string[];
  /** Prepares what is compared: what it is, and what measures one part of it. */
  open(
    sandbox: Sandbox,
    fromSource: boolean,
  ): Promise<{
    readonly versions: Readonly<Record<string, string>>;
    measure(part: string, run: Pick<Run, 'sandbox' | 'quick'>): Promise<Report>;
  }>;
}

function bench<Compared>(
  prepare: Prepare<Compared>,
  measurements: Readonly<Record<string, Measurement<Compared>>>,
): Bench {
  return {
    parts: Object.keys(measurements),
    open: async (sandbox, fromSource) => {
      const contenders = await prepare(sandbox, fromSource);
      return {
        versions: contenders.versions,
        measure: async (part, run) => {
          const measurement = measurements[part];
          if (measurement === undefined) throw new Error(`there is no part "${part}"`);
          return measurement({ ...run, contenders });
        },
      };
    },
  };
}

export const benches: Readonly<Record<string, Bench>> = {
  deploy: bench(prepareContenders, {
    single: measureSingleDeploys,
    default: measureDefaultDeploys,
    restart: measureRestarts,
    batch: measureBatchDeploys,
    status: measureStatus,
    idle: measureIdle,
  }),
  runtime: bench(prepareContenders, {
    kills: measureKills,
    adoption: measureAdoption,
    capture: measureCapture,
    steady: measureSteady,
    stop: measureStop,
    restart: measureRestarts,
    recovery: measureRecovery,
    restart_loop: measureRestartLoop,
    idle: measureIdleServices,
    probes: measureProbes,
    metrics: measureMetrics,
    follow: measureFollow,
    query: measureQuery,
    usage: measureUsage,
    history: measureHistory,
  }),
  router: bench(prepareProxies, {
    messages: measureMessages,
    connects: measureWebSocketConnects,
    idle: measureIdleConnections,
    http: measureHttp,
    http_two: measureHttpWithTwo,
    access_log: measureAccessLog,
  }),
  console: bench(prepareConsole, {
    first_load: measureFirstLoad,
    services: measureServicePages,
    connections: measureConnectionsPage,
    logs: measureLogPage,
  }),
};
