import type { ServiceState } from '../../contract/services.ts';
import type { ServiceStats, Stats } from '../../contract/stats.ts';

/** How much a state wants somebody to look at it. */
const concern: Readonly<Record<ServiceState, number>> = {
  failed: 10,
  backoff: 9,
  pending: 8,
  paused: 7,
  stopping: 6,
  draining: 5,
  starting: 4,
  stopped: 3,
  running: 2,
  scheduled: 1,
  completed: 0,
};

/** By what services may be sorted: what comes first, and equal ones by name. */
const orders = {
  cpu: ({ cpu_cores }) => cpu_cores ?? -1,
  memory: ({ resident_bytes }) => resident_bytes ?? -1,
  requests: ({ requests_per_second }) => requests_per_second ?? -1,
  errors: ({ error_ratio }) => error_ratio ?? -1,
  restarts: ({ restarts }) => restarts,
  state: ({ state }) => (Object.hasOwn(concern, state) ? concern[state as ServiceState] : -1),
  name: () => 0,
} as const satisfies Record<string, (service: ServiceStats) => number>;

export type TopOrder = keyof typeof orders;
export const topOrders = Object.keys(orders) as TopOrder[];

/** The services in the order in which they are shown. */
export function sorted({ services }: Stats, order: TopOrder): ServiceStats[] {
  const worth = orders[order];
  return services.toSorted((a, b) => worth(b) - worth(a) || (a.service < b.service ? -1 : 1));
}

/** The order after this one, and the first after the last. */
export function nextOrder(order: TopOrder): TopOrder {
  return topOrders[(topOrders.indexOf(order) + 1) % topOrders.length] ?? order;
}
