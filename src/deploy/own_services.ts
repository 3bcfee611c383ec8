import { isDeepStrictEqual } from 'node:util';
import type { Spec, SpecPatch } from '../contract/spec.ts';
import { DavitError } from '../lib/errors.ts';
import { runningInstances } from '../services/service.ts';
import { applyPatch } from '../services/spec.ts';
import { needsRestart } from '../services/spec_changes.ts';
import type { Convergence } from './convergence.ts';
import type { Deployments } from './deployments.ts';
import type { Registration } from './registration.ts';
import { type RemovalParts, removeService } from './removal.ts';
import type { ServiceTurns } from './service_turns.ts';

/** How the ids of services begin that belong to the agent itself, as its routers do. */
const ownPrefix = 'davit.';
const actor = 'agent';

interface OwnServicesParts extends RemovalParts {
  readonly turns: ServiceTurns;
  readonly deployments: Deployments;
  readonly registration: Registration;
  readonly convergence: Convergence;
}

/** The services of the agent itself. */
export class OwnServices {
  readonly #parts: OwnServicesParts;

  constructor(parts: OwnServicesParts) {
    this.#parts = parts;
  }

  /** Has one of them run exactly as `spec` says; what runs is replaced where it must be. */
  keep(id: string, spec: Spec): Promise<void> {
    const { registry, turns, deployments, registration, convergence } = this.#parts;
    return turns.take(id, async () => {
      const existing = registry.find(id);
      const runs = existing?.wanted === 'running' && runningInstances(existing).length > 0;
      const wanted = applyPatch(null, spec as SpecPatch);
      if (!runs || needsRestart(registry.spec(id), wanted)) {
        const { instances } = wanted;
        await deployments.deploy(id, { spec: wanted, instances, actor, reason: 'deploy', deployment: null });
      } else if (!isDeepStrictEqual(registry.spec(id), wanted)) {
        registration.makeCurrent(id, wanted, 'update', actor, null);
        await convergence.converge(id, actor);
      }
    });
  }

  /** Ends one of them and forgets it, if there is one. */
  async end(id: string): Promise<void> {
    const { registry, turns } = this.#parts;
    await turns.take(id, async () => {
      if (registry.find(id) !== null) await removeService(this.#parts, id, actor);
    });
  }
}

/** Throws `forbidden` where a service belongs to the agent itself: it alone says what that is. */
export function refuseOwn(id: string): void {
  if (!id.startsWith(ownPrefix)) return;
  const message = `"${id}" belongs to the agent itself, as everything that begins with "${ownPrefix}": its configuration says what that is`;
  throw new DavitError('forbidden', message);
}
