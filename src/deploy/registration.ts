import type { Release } from '../contract/releases.ts';
import type { Spec } from '../contract/spec.ts';
import type { EventLog } from '../services/event_log.ts';
import type { Registry } from '../services/registry.ts';
import { needsRestart } from '../services/spec_changes.ts';

interface RegistrationParts {
  readonly registry: Registry;
  readonly events: EventLog;
}

/** Registers services and releases, without starting anything. Callers hold the service's lock, and have checked the spec. */
export class Registration {
  readonly #parts: RegistrationParts;

  constructor(parts: RegistrationParts) {
    this.#parts = parts;
  }

  /**
   * Registers a service with its first release.
   * @param declared_in the declaration that it is of; null: of none
   */
  create(id: string, spec: Spec, actor: string, message: string, declared_in: string | null = null): void {
    const { registry, events } = this.#parts;
    registry.create(id, spec, 'create', actor);
    registry.commit(id, { declared_in });
    events.record({ type: 'service.created', service: id, actor, message });
  }

  /** Makes a new release the current one. What runs stays. */
  makeCurrent(id: string, spec: Spec, reason: Release['reason'], actor: string, scale: number | null): void {
    const { registry, events } = this.#parts;
    const before = registry.spec(id);
    const release = registry.addRelease(id, spec, reason, actor);
    registry.commit(id, { current_release: release, scale });
    const when = needsRestart(before, spec) ? 'from the next start on' : 'from now on';
    const message = `Release ${release} is current ${when}`;
    events.record({ type: 'service.updated', service: id, actor, message });
  }
}
