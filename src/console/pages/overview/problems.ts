import type { Alert } from '../../../contract/alerts.ts';
import type { Event } from '../../../contract/events.ts';
import type { Service } from '../../../contract/services.ts';
import { missingInstances, shownState } from '../../composables/service_state.ts';

/** Something that somebody should look at: of one service, or of the host or the agent. */
export interface Problem {
  /** The service's id, or that of the alert. */
  readonly key: string;
  /** null: it concerns the host or the agent. */
  readonly service: Service | null;
  readonly kind: 'failed' | 'backoff' | 'not_ready' | 'deployment_failed' | 'alert';
  readonly severity: 'critical' | 'warning' | 'info';
  /** What the agent said of it already, while nothing closer is known. */
  readonly message: string;
  readonly since: string | null;
  /** The one that could not be deployed. */
  readonly release: number | null;
  /** Those that fire, and are told. */
  readonly alerts: readonly Alert[];
}

interface Situation {
  readonly services: readonly Service[];
  readonly alerts: readonly Alert[];
  /** The newest of each service, of `deployment.*`. */
  readonly deployments: ReadonlyMap<string, Event>;
}

const underWay = new Set([
  'deployment.started',
  'deployment.resumed',
  'deployment.progressed',
  'deployment.promoted',
]);
const badness: Readonly<Record<Problem['severity'], number>> = { critical: 2, warning: 1, info: 0 };

/** Whether people are told of it: nobody silenced it, and nothing else that fires explains it. */
export function isTold({ silenced_by, inhibited_by }: Alert): boolean {
  return silenced_by === null && inhibited_by === null;
}

/** What is wrong, one for each service, the worst first, and of those the newest. */
export function problemsOf({ services, alerts, deployments }: Situation): Problem[] {
  const told = alerts.filter((alert) => alert.state === 'firing' && isTold(alert));
  const byService = Map.groupBy(told, ({ service }) => service);
  const found = services.flatMap((service) => {
    const deployment = deployments.get(service.id);
    // Where an alert was made of it, that one decides, which somebody may have silenced.
    const isSilenced = alerts.some(
      (alert) => alert.event !== null && alert.event === deployment?.id && !isTold(alert),
    );
    return problemOf(service, byService.get(service.id) ?? [], isSilenced ? undefined : deployment) ?? [];
  });
  const ofNoService = (byService.get(null) ?? []).map(
    (alert): Problem => ({
      ...ofAlerts([alert]),
      key: alert.id,
      service: null,
      release: null,
      kind: 'alert',
    }),
  );
  return [...found, ...ofNoService].sort(
    (a, b) => badness[b.severity] - badness[a.severity] || ((a.since ?? '') < (b.since ?? '') ? 1 : -1),
  );
}

function problemOf(
  service: Service,
  alerts: readonly Alert[],
  deployment: Event | undefined,
): Problem | null {
  const { status } = service;
  const state = shownState(service);
  const isDeploying = deployment !== undefined && underWay.has(deployment.type);
  const base = { key: service.id, service, release: null, ...ofAlerts(alerts) };
  const since = base.since ?? status.end_time ?? null;
  if (state === 'failed') {
    return { ...base, kind: 'failed', severity: 'critical', message: status.message, since };
  }
  if (state === 'backoff' || (state === 'not_ready' && !isDeploying)) {
    const severity = worse(base.severity, 'warning');
    return { ...base, kind: state, severity, message: status.message, since };
  }
  const alert = alerts.find(({ rule }) => rule === 'deployment_failed');
  if (alert !== undefined || deployment?.type === 'deployment.failed') {
    const failed = deployment?.type === 'deployment.failed' ? deployment : undefined;
    const serves = status.instances.ready > 0 || service.spec.type === 'task';
    return {
      ...base,
      kind: 'deployment_failed',
      severity: serves ? worse(base.severity, 'warning') : 'critical',
      message: failed?.message ?? alert?.summary ?? '',
      since: failed?.time ?? alert?.started_at ?? since,
      release: failed?.release ?? null,
    };
  }
  if (hasEnded(service))
    return { ...base, kind: 'failed', severity: 'critical', message: status.message, since };
  return alerts.length > 0 ? { ...base, kind: 'alert' } : null;
}

/** Whether it ended by itself, by a failure, and its policy lets it lie, although it is to run. */
function hasEnded(service: Service): boolean {
  const { status, return_code, end_time } = service.status;
  return status === 'stopped' && missingInstances(service) > 0 && end_time !== undefined && return_code !== 0;
}

function ofAlerts(alerts: readonly Alert[]): Pick<Problem, 'alerts' | 'severity' | 'since' | 'message'> {
  const [first] = alerts.toSorted((a, b) => (a.started_at < b.started_at ? -1 : 1));
  const severity = alerts.reduce<Problem['severity']>((worst, next) => worse(worst, next.severity), 'info');
  return { alerts, severity, since: first?.started_at ?? null, message: first?.summary ?? '' };
}

function worse(a: Problem['severity'], b: Problem['severity']): Problem['severity'] {
  return badness[a] >= badness[b] ? a : b;
}
