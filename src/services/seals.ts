import type { Spec, SpecPatch } from '../contract/spec.ts';
import type { Registry } from './registry.ts';
import {
  type Authority,
  requireOpenPatch,
  requireOpenSpec,
  requireUnsealed,
  type SealedChange,
} from './seal.ts';

/** What may be changed of the services that there are, by whom. Everything here throws `command_sealed`. */
export class Seals {
  readonly #registry: Registry;
  readonly #requiresSealed: () => boolean;

  /** @param requiresSealed whether only sealed services may be deployed by whoever has no authority over commands */
  constructor(registry: Registry, requiresSealed: () => boolean) {
    this.#registry = registry;
    this.#requiresSealed = requiresSealed;
  }

  /** Where a patch touches more than it may. */
  requireOpenPatch(id: string, patch: SpecPatch, authority: Authority): void {
    requireOpenPatch(this.#change(id, authority), patch);
  }

  /** Where somebody may not make of a service exactly this. */
  requireOpenSpec(id: string, next: Spec, authority: Authority): void {
    requireOpenSpec(this.#change(id, authority), next);
  }

  /** Where a service is sealed, and only those with authority may do this with it. */
  requireUnsealed(id: string, what: string, authority: Authority): void {
    requireUnsealed(this.#change(id, authority), what);
  }

  #change(id: string, authority: Authority): SealedChange {
    const current = this.#registry.find(id) === null ? null : this.#registry.spec(id);
    return { id, current, authority, isRequired: this.#requiresSealed() };
  }
}
