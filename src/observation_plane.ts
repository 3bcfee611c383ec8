import { hostname } from 'node:os';
import type { DatabaseSync } from 'node:sqlite';
import { Alerts } from './alerts/alerts.ts';
import { NotifierOutbox } from './alerts/delivery/outbox.ts';
import { secretsOf } from './alerts/service_secrets.ts';
import type { Config } from './config/schema.ts';
import { LogForwarding } from './forwarding/forwarding.ts';
import { splitHostPort } from './lib/addresses.ts';
import { redact } from './lib/redaction.ts';
import { milliseconds } from './lib/units.ts';
import { version } from './lib/version.ts';
import { addAlertMetrics } from './metrics/exposition/alert_metrics.ts';
import { Exposition } from './metrics/exposition/exposition.ts';
import { addForwardingMetrics } from './metrics/exposition/forwarding_metrics.ts';
import { addNotificationMetrics } from './metrics/exposition/notification_metrics.ts';
import type { ProbeCounts } from './metrics/exposition/probe_counts.ts';
import { History } from './metrics/history/history.ts';
import { Measure } from './metrics/measure.ts';
import { RemoteWrite } from './metrics/remote_write/remote_write.ts';
import { Sampler } from './metrics/sampler.ts';
import { ServiceCounts } from './metrics/service_counts.ts';
import { StatsView } from './metrics/stats_view.ts';
import { Ticker } from './metrics/ticker.ts';
import { ownAccount } from './processes/account.ts';
import { readEnvironmentFile } from './processes/environment.ts';
import { runCommand } from './processes/run_command.ts';
import { standardPath } from './processes/standard_path.ts';
import type { ServicePlane } from './service_plane.ts';
import type { EventLog } from './services/event_log.ts';
import type { Registry } from './services/registry.ts';

interface ObservationPlaneOptions {
  readonly database: DatabaseSync;
  readonly events: EventLog;
  readonly services: ServicePlane;
  /** A place in the data directory. */
  readonly inData: (...names: string[]) => string;
  /** As they are now: they may change while the agent runs. */
  readonly settings: () => Config;
  /** What is told of each probe. */
  readonly probes: ProbeCounts;
  /** The address of the agent; empty as long as it does not listen. */
  readonly url: () => string;
  /** How many warnings the agent has, those of this plane included. */
  readonly warnings: () => number;
  readonly onProblem: (message: string) => void;
}

/** Makes the parts of the agent that tell others how it is and how its services are, and puts them together. None of them keeps a service from running. */
export function createObservationPlane(options: ObservationPlaneOptions) {
  const { database, events, services, inData, settings, probes, url, warnings, onProblem } = options;
  const counts = new ServiceCounts(events);
  const sampler = new Sampler({ registry: services.registry, directory: inData() });
  const interval = () => milliseconds(settings().metrics.interval);
  const ticker = new Ticker({ look: () => sampler.look(), interval, onProblem });
  const exposition = new Exposition({
    registry: services.registry,
    events,
    counts,
    written: () => services.logs.written(),
    traffic: services.traffic,
    probes,
    tick: () => ticker.latest,
    warnings,
    onProblem,
  });
  const measure = new Measure({
    registry: services.registry,
    traffic: services.traffic,
    counts,
    logBytes: (service) => services.logs.written().get(service)?.bytes ?? 0,
    requestErrors: () => exposition.operations.errors,
    onProblem,
  });
  const history = new History({
    file: inData('metrics.db'),
    settings: () => settings().metrics,
    onProblem,
  });
  measure.onMeasured((measurements) => history.record(measurements));
  ticker.onTick((tick) => measure.take(tick));
  const stats = new StatsView({
    registry: services.registry,
    traffic: services.traffic.facts,
    counts,
    ticker,
    measure,
    interval,
    alertsFiring: (service) => alerts.firing(service),
  });
  const outbox = new NotifierOutbox({
    database,
    settings: () => settings().alerts,
    run: ({ command, env, ...limits }) =>
      runCommand(
        { command, cwd: '/', env: { PATH: standardPath, LANG: 'C.UTF-8', ...env }, account: ownAccount() },
        limits,
      ),
    ownPorts: () => ownPorts(settings(), url()),
    url,
    onFailing: (notifier, message) => alerts.deliveryFailing(`notifier ${notifier}`, message),
    onProblem,
  });
  const alerts = new Alerts({
    database,
    registry: services.registry,
    events,
    deployments: services.deployments,
    why: services.why,
    settings: () => settings().alerts,
    certificates: () => certificateFiles(settings()),
    routers: () => {
      const { configured, routers } = services.traffic.list();
      return { configured, connected: routers.length };
    },
    outbox,
    notifiers: () => outbox.list().map(({ name }) => name),
    redact: (service, lines) => redact(lines, secretsOfService(services.registry, service)),
    agent: () => ({ hostname: hostname(), version, url: url() }),
    onProblem,
  });
  measure.onMeasured((measured) => alerts.observe(measured));
  addAlertMetrics(exposition.metrics, () => alerts.firingByRule());
  addNotificationMetrics(exposition.metrics, () => outbox.counts);
  services.logs.onShortened((service, why) => alerts.noteLogShortage(service, why));
  const remoteWrite = new RemoteWrite({
    exposition,
    folder: inData('remote_write'),
    host: hostname(),
    receivers: () => settings().metrics.remote_write,
    onFailing: (receiver, message) => alerts.deliveryFailing(`remote write ${receiver}`, message),
    onProblem,
  });
  ticker.onTick(({ at }) => remoteWrite.observe(at));

  const forwarding = new LogForwarding({
    database,
    feed: services.logs.feed,
    settings: () => settings().log_forwarding,
    exists: (service) => services.registry.find(service) !== null,
    onFailing: (target, message) => alerts.deliveryFailing(`log forwarding ${target}`, message),
    onProblem,
  });
  addForwardingMetrics(exposition.metrics, () => forwarding.counts());

  return {
    counts,
    alerts,
    outbox,
    ticker,
    measure,
    history,
    stats,
    exposition,

    /** What somebody should know, in sentences. */
    get warnings(): string[] {
      return [
        ...history.warnings,
        ...forwarding.warnings,
        ...alerts.warnings,
        ...outbox.warnings,
        ...remoteWrite.warnings,
      ];
    },

    /** Begins to measure and to tell. To be called when what runs has been taken up. */
    begin(): void {
      sampler.begin();
      history.reload();
      remoteWrite.begin();
      ticker.begin();
      outbox.begin();
      alerts.begin();
      forwarding.begin();
    },

    /** The settings may be others. */
    reload(): void {
      ticker.reload();
      history.reload();
      remoteWrite.reload();
      outbox.reload();
      alerts.reload();
      forwarding.reload();
    },

    /** Ends what is under way; what could not be told yet is kept for the next agent. */
    async close(): Promise<void> {
      await ticker.close();
      await remoteWrite.close();
      alerts.close();
      await outbox.close();
      await forwarding.close();
      sampler.close();
      history.close();
    },
  };
}

/** Where the agent itself listens: no notifier of the API leads there. */
function ownPorts({ listen, metrics }: Config, url: string): number[] {
  const own = [listen, metrics.listener?.address ?? ''].map((each) => splitHostPort(each).port);
  return [...own, Number(URL.parse(url)?.port)].filter((port) => port > 0);
}

/** The certificates of the API and of the router. */
function certificateFiles({ tls, router }: Config): string[] {
  const own = tls === null ? [] : [tls.cert_file];
  return [...own, ...(router?.certificates ?? []).map(({ cert_file }) => cert_file)];
}

/** What must not be told of a service; null: of none. */
function secretsOfService(registry: Registry, service: string | null): string[] {
  const isThere = service !== null && registry.find(service) !== null;
  return isThere ? secretsOf(registry.spec(service), readEnvironmentFile) : [];
}
