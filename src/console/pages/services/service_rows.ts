import type { Service } from '../../../contract/services.ts';
import { shownState } from '../../composables/service_state.ts';

/** Which services are wanted; empty: all. */
export interface ServiceFilter {
  /** Words that stand in the id, the tags or the command, all of them. */
  readonly search: string;
  /** As `shownState` tells it. */
  readonly state: string;
  /** All of them. */
  readonly tags: readonly string[];
}

/** The ids of services whose last deployment failed. */
type Undeployed = ReadonlySet<string>;

/** The command as one line. */
function commandText({ spec: { command } }: Pick<Service, 'spec'>): string {
  return typeof command === 'string' ? command : command.join(' ');
}

export function filterServices(
  services: readonly Service[],
  filter: ServiceFilter,
  undeployed?: Undeployed,
): Service[] {
  const words = filter.search.toLowerCase().split(/\s+/).filter(Boolean);
  return services.filter((service) => {
    const { tags } = service.spec;
    if (filter.state !== '' && shownState(service, undeployed) !== filter.state) return false;
    if (!filter.tags.every((tag) => tags.includes(tag))) return false;
    if (words.length === 0) return true;
    const text = [service.id, ...tags, commandText(service)].join(' ').toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** What needs somebody comes first. */
const order = [
  'failed',
  'deployment_failed',
  'backoff',
  'not_ready',
  'paused',
  'pending',
  'starting',
  'running',
];

/** How many services there are of each state that there is. */
export function countStates(
  services: readonly Service[],
  undeployed?: Undeployed,
): [state: string, count: number][] {
  const counts = new Map<string, number>();
  for (const service of services) {
    const state = shownState(service, undeployed);
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  const place = (state: string) => (order.includes(state) ? order.indexOf(state) : order.length);
  return [...counts].sort(([a], [b]) => place(a) - place(b) || (a < b ? -1 : 1));
}

/** Every tag that there is. */
export function tagsOf(services: readonly Service[]): string[] {
  return [...new Set(services.flatMap(({ spec }) => spec.tags))].sort();
}
