import type { DependencyCondition } from '../contract/policies.ts';
import type { Spec } from '../contract/spec.ts';
import { isReady } from '../services/instance.ts';
import type { Registry } from '../services/registry.ts';
import type { Service } from '../services/service.ts';
import { requireReferences } from './references.ts';

const conditions: Readonly<Record<DependencyCondition, (service: Service) => boolean>> = {
  started: ({ instances }) => instances.some(({ state }) => state === 'running' || state === 'completed'),
  healthy: ({ instances }) => instances.some(isReady),
  completed: ({ instances }) => instances.every(({ state }) => state === 'completed'),
  log_ready: ({ instances }) =>
    instances.some(({ state, has_logged_ready }) => state === 'running' && has_logged_ready === true),
};

const words: Readonly<Record<DependencyCondition, string>> = {
  started: 'to be started',
  healthy: 'to be healthy',
  completed: 'to have completed',
  log_ready: 'to say that it is ready',
};

/** Which services others wait for, and whether these are there. */
export class Dependencies {
  readonly #registry: Registry;
  #version = -1;
  readonly #dependents = new Map<string, Set<string>>();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** Throws `invalid_request` where a service with this spec could not depend on others so, or others on it. */
  check(id: string, spec: Spec): void {
    const others = this.#registry.services().filter((other) => other.id !== id);
    requireReferences(id, spec, new Map(others.map((other) => [other.id, this.#registry.spec(other.id)])));
  }

  /** The services that this one depends on by itself, not through others; none where there is no such service. */
  of(id: string): readonly string[] {
    return this.#registry.find(id) === null ? [] : Object.keys(this.#registry.spec(id).depends_on);
  }

  /** What a service still waits for, such as "db to be healthy"; empty when all is there. */
  unmet(id: string, dependsOn = this.#registry.spec(id).depends_on): readonly string[] {
    return Object.entries(dependsOn)
      .filter(([name, condition]) => !this.#isMet(name, condition))
      .map(([name, condition]) => `${name} ${words[condition]}`);
  }

  /** The first of those that a service waits for; null when all is there. */
  firstUnmet(id: string): Service | null {
    const unmet = Object.entries(this.#registry.spec(id).depends_on).find(
      ([name, condition]) => !this.#isMet(name, condition),
    );
    return unmet === undefined ? null : this.#registry.find(unmet[0]);
  }

  /** The services that depend on this one by themselves, not through others. */
  dependentsOf(id: string): ReadonlySet<string> {
    this.#renew();
    return this.#dependents.get(id) ?? none;
  }

  /** Resolves when nothing is unmet any more, or `signal` ends the wait. */
  async wait(id: string, dependsOn: Readonly<Record<string, DependencyCondition>>, signal: AbortSignal) {
    const { promise, resolve } = Promise.withResolvers<void>();
    const look = () => {
      if (signal.aborted || this.unmet(id, dependsOn).length === 0) resolve();
    };
    const end = this.#registry.subscribe(look);
    signal.addEventListener('abort', look);
    look();
    await promise;
    signal.removeEventListener('abort', look);
    end();
  }

  #isMet(name: string, condition: DependencyCondition): boolean {
    const service = this.#registry.find(name);
    return service !== null && conditions[condition](service);
  }

  #renew(): void {
    if (this.#version === this.#registry.specsVersion) return;
    this.#version = this.#registry.specsVersion;
    this.#dependents.clear();
    for (const { id } of this.#registry.services()) {
      for (const name of this.of(id)) {
        const known = this.#dependents.get(name);
        if (known === undefined) this.#dependents.set(name, new Set([id]));
        else known.add(id);
      }
    }
  }
}

const none: ReadonlySet<string> = new Set();
