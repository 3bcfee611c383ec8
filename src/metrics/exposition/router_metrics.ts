import { latencyBounds, type TrafficCounts } from '../../contract/connections.ts';
import type { TrafficFacts } from '../../traffic/facts.ts';
import type { RouterCount, RouterCounts } from '../../traffic/router_counts.ts';
import type { Sample } from './computed_metric.ts';
import type { MetricSet } from './metric_set.ts';
import type { ServiceView, Views } from './view.ts';

export interface RouterSources {
  readonly views: Pick<Views, 'present'>;
  readonly facts: Pick<TrafficFacts, 'ejections'>;
  readonly routers: Pick<RouterCounts, 'all'>;
}

type Routed = ServiceView & { readonly traffic: TrafficCounts };

const latencySeconds = latencyBounds.map((bound) => bound / 1_000);
const statusClasses = ['1xx', '2xx', '3xx', '4xx', '5xx'];

const ofRouter: readonly (readonly ['gauge' | 'counter', string, string, keyof RouterCount])[] = [
  ['gauge', 'connections', 'Connections that clients have open.', 'connections'],
  ['counter', 'connections_total', 'Connections that were let in.', 'connections_total'],
  [
    'counter',
    'unroutable_requests_total',
    'Requests that no rule fits, or for which there was no instance.',
    'unroutable',
  ],
  ['counter', 'refused_total', 'Connections and requests beyond a limit.', 'refused'],
];

const ofService: readonly (readonly ['gauge' | 'counter', string, string, keyof TrafficCounts])[] = [
  ['gauge', 'open_requests', 'Requests whose answer has not ended.', 'open_requests'],
  ['gauge', 'open_websockets', 'WebSocket connections that are open.', 'open_websockets'],
  ['counter', 'websockets_total', 'WebSocket connections.', 'websockets'],
  [
    'counter',
    'request_failures_total',
    'Requests that got no answer: no connection, a broken one, or too late.',
    'failures',
  ],
  ['counter', 'retries_total', 'Requests that were sent once more.', 'retries'],
  ['counter', 'received_bytes_total', 'Received from clients.', 'bytes_in'],
  ['counter', 'sent_bytes_total', 'Sent to clients.', 'bytes_out'],
];

/** What goes through the routers: by their number in the service davit.router, and by the service that it goes to. */
export function addRouterMetrics(metrics: MetricSet, { views, facts, routers }: RouterSources): void {
  for (const [type, name, help, field] of ofRouter)
    metrics[type](`davit_router_${name}`, help, () =>
      shownRouters(routers.all()).map(([router, count]) => ({
        labels: { router },
        value: count[field],
      })),
    );
  const routed = () => views.present.services.filter((view): view is Routed => view.traffic !== null);
  for (const [type, name, help, field] of ofService)
    metrics[type](`davit_router_${name}`, help, () =>
      routed().map(({ subject, traffic }): Sample => ({ subject, value: Number(traffic[field]) })),
    );
  metrics.counter(
    'davit_router_requests_total',
    'Requests that were answered, by the class of the status.',
    () =>
      routed().flatMap(({ subject, traffic }) =>
        statusClasses.map((code, index) => ({
          subject,
          labels: { code },
          value: traffic.by_status[index] ?? 0,
        })),
      ),
  );
  metrics.histogram(
    'davit_router_response_time_seconds',
    'How long it took until the answer began. Nobody adds the times up: there is no sum.',
    latencySeconds,
    () =>
      routed().map(({ subject, traffic }) => ({
        subject,
        distribution: { counts: traffic.latency, sum: null },
      })),
  );
  metrics.gauge(
    'davit_router_ejected_instances',
    'Instances that routers leave out for now, as they failed.',
    () => routed().map(({ subject, ejected }) => ({ subject, value: ejected })),
  );
  metrics.counter('davit_router_ejections_total', 'How often a router began to leave an instance out.', () =>
    routed().map(({ id, subject }) => ({ subject, value: facts.ejections(id) })),
  );
}

/** What a router told before it was known which one it is, stands under no name; there may be nothing of it. */
function shownRouters(counts: ReadonlyMap<number | null, RouterCount>): [string, RouterCount][] {
  return [...counts]
    .filter(([number, count]) => number !== null || Object.values(count).some((value) => value > 0))
    .sort(([a], [b]) => (a ?? 0) - (b ?? 0))
    .map(([number, count]) => [number === null ? 'other' : String(number), count]);
}
