import type { Registry } from '../services/registry.ts';
import { type AlertRecord, isFiring } from './alert_record.ts';
import type { WatchedRule } from './watched_rule.ts';

/** Which services each depends on, by itself or through others. */
export class DependencyClosure {
  readonly #registry: Pick<Registry, 'services' | 'spec' | 'specsVersion' | 'find'>;
  readonly #known = new Map<string, ReadonlySet<string>>();
  #version = -1;

  constructor(registry: Pick<Registry, 'services' | 'spec' | 'specsVersion' | 'find'>) {
    this.#registry = registry;
  }

  /** Without the service itself, also where it depends on itself through others. */
  of(service: string): ReadonlySet<string> {
    if (this.#version !== this.#registry.specsVersion) this.#known.clear();
    this.#version = this.#registry.specsVersion;
    const known = this.#known.get(service);
    if (known !== undefined) return known;
    const found = new Set<string>();
    const waiting = this.#direct(service);
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (next === service || found.has(next)) continue;
      found.add(next);
      waiting.push(...this.#direct(next));
    }
    this.#known.set(service, found);
    return found;
  }

  #direct(service: string): string[] {
    const isThere = this.#registry.find(service) !== null;
    return isThere ? Object.keys(this.#registry.spec(service).depends_on) : [];
  }
}

/** What says that a service does not do its work, and so explains that those that need it do not either. */
const explaining: ReadonlySet<string> = new Set([
  ...['service_failed', 'restart_loop', 'unhealthy'],
  ...['service.ready', 'service.missing', 'service.errors', 'service.latency'],
]);

/** Whether an alert explains those of services that depend on its service. */
export function explains(
  record: Pick<AlertRecord, 'state' | 'severity' | 'service'>,
  watched: WatchedRule['watched'],
): boolean {
  if (record.service === null || record.severity === 'info' || !isFiring(record)) return false;
  return explaining.has(watched.kind === 'event' ? watched.event : watched.series);
}

/**
 * The alert that explains another one: of a service on which its service depends. Services that depend on each other explain
 * nothing, for then nobody would be told of either.
 * @param explainers of each service, the alert that explains others
 */
export function inhibitorOf(
  { service }: Pick<AlertRecord, 'service'>,
  explainers: ReadonlyMap<string, string>,
  closure: Pick<DependencyClosure, 'of'>,
): string | null {
  if (service === null || explainers.size === 0) return null;
  for (const needed of closure.of(service)) {
    const alert = explainers.get(needed);
    if (alert !== undefined && !closure.of(needed).has(service)) return alert;
  }
  return null;
}
