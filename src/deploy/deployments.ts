import type { Release } from '../contract/answers.ts';
import type { Spec } from '../contract/spec.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { failPoint } from '../lib/fail_point.ts';
import { milliseconds } from '../lib/units.ts';
import type { EventLog, NewEvent } from '../services/event_log.ts';
import type { Registry } from '../services/registry.ts';
import { runningInstances, wantedInstances } from '../services/service.ts';
import type { StoredRelease } from '../services/store.ts';
import type { Dependencies } from '../supervision/dependencies.ts';
import type { Reconciler } from '../supervision/reconciler.ts';
import type { Supervisor } from '../supervision/supervisor.ts';
import { type Replacement, replaceRelease, resumeReplacement } from './replacement.ts';

interface DeploymentsParts {
  readonly registry: Registry;
  readonly supervisor: Supervisor;
  readonly reconciler: Reconciler;
  readonly dependencies: Dependencies;
  readonly events: EventLog;
}

/** A release that is to run, and why. */
interface ReplaceOrder {
  readonly release: number;
  readonly instances: number;
  readonly actor: string;
  readonly is_deployment: boolean;
  readonly cause: number | null;
}

/** What is to be deployed of a service, which need not exist yet. */
export interface DeployOrder {
  readonly spec: Spec;
  readonly reason: Release['reason'];
  readonly instances: number;
  readonly actor: string;
}

/** Makes releases, and has them run instead of what does. Callers hold the service's lock, and have checked the spec. */
export class Deployments {
  readonly #parts: DeploymentsParts;

  constructor(parts: DeploymentsParts) {
    this.#parts = parts;
  }

  /** Makes a new release and has it run. Returns its number and what that took. */
  async deploy(
    id: string,
    { spec, reason, instances, actor }: DeployOrder,
  ): Promise<Partial<Replacement> & { readonly release: number }> {
    const { registry, supervisor } = this.#parts;
    await supervisor.check(id, spec);
    const release = registry.find(id)
      ? registry.addRelease(id, spec, reason, actor)
      : registry.create(id, spec, reason, actor).current_release;
    const message = `Deployment of release ${release} started`;
    const { id: cause } = this.#record('deployment.started', id, actor, message, release);
    failPoint('deploy.release_written');
    const order = { release, instances, actor, cause, is_deployment: true };
    return { ...(await this.#replace(id, spec, order)), release };
  }

  /** Makes a release the current one again. */
  async rollBack(id: string, { release, spec }: StoredRelease, actor: string): Promise<Partial<Replacement>> {
    await this.#parts.supervisor.check(id, spec);
    const message = `Rollback to release ${release} started`;
    const { id: cause } = this.#record('deployment.started', id, actor, message, release);
    const instances = this.#countFor(id, spec);
    return this.#replace(id, spec, { release, instances, actor, cause, is_deployment: true });
  }

  /** Has the current release run, instead of what runs of it. */
  async replaceByCurrent(id: string, actor: string): Promise<Replacement> {
    const { registry, supervisor } = this.#parts;
    const { current_release: release } = registry.get(id);
    const spec = registry.spec(id);
    await supervisor.check(id, spec);
    const order = { release, instances: this.#countFor(id, spec), actor, is_deployment: false, cause: null };
    return this.#runInstead(id, spec, order);
  }

  /** Makes a release the current one, and has it run instead of what does; a task with a schedule waits for its time. */
  async #replace(id: string, spec: Spec, order: ReplaceOrder): Promise<Partial<Replacement>> {
    if (spec.schedule === null) return this.#runInstead(id, spec, order);
    const { release, actor, cause, is_deployment } = order;
    this.#parts.registry.commit(id, { wanted: 'running', current_release: release, scale: null });
    const message = `Release ${release} is current`;
    if (is_deployment) this.#record('deployment.succeeded', id, actor, message, release, cause);
    return {};
  }

  async #runInstead(id: string, spec: Spec, order: ReplaceOrder): Promise<Replacement> {
    const { supervisor, registry } = this.#parts;
    try {
      await this.#awaitDependencies(id, spec, order);
      // What is stopped can then be started again, too.
      await supervisor.reserve(id, spec, order.instances + runningInstances(registry.get(id)).length);
    } catch (error) {
      this.#noteFailure(id, order, errorMessage(error));
      throw error;
    }
    try {
      return await replaceRelease(this.#parts, id, order);
    } finally {
      // What had proved itself may have ended while others had not.
      this.#parts.reconciler.look(id);
    }
  }

  /** Throws `dependency_unmet`, with nothing touched, where what a spec depends on is not there in time. */
  async #awaitDependencies(id: string, spec: Spec, { actor, cause, release }: ReplaceOrder): Promise<void> {
    const { dependencies, events } = this.#parts;
    const unmet = dependencies.unmet(id, spec.depends_on);
    if (unmet.length === 0) return;
    const message = `Release ${release} waits for ${unmet.join(' and ')}`;
    events.record({ type: 'service.waiting', service: id, release, actor, cause, message });
    const { ready_timeout } = spec.rollout;
    await dependencies.wait(id, spec.depends_on, AbortSignal.timeout(milliseconds(ready_timeout)));
    const missing = dependencies.unmet(id, spec.depends_on);
    if (missing.length === 0) return;
    const sentence = `service "${id}" waited ${ready_timeout} in vain for ${missing.join(' and ')}`;
    throw new DavitError('dependency_unmet', sentence);
  }

  /** Says that a deployment failed before anything was touched. */
  #noteFailure(id: string, { release, actor, cause, is_deployment }: ReplaceOrder, message: string): void {
    const { registry } = this.#parts;
    if (!is_deployment) return;
    if (registry.release(id, release).outcome === 'pending')
      registry.settleRelease(id, release, 'failed', message);
    this.#record('deployment.failed', id, actor, message, release, cause);
  }

  /** Brings to an end what an agent was in the midst of when it died, if it was. */
  async finish(id: string): Promise<void> {
    const { under_way } = this.#parts.registry.get(id);
    if (under_way === null) return;
    const { release, actor } = under_way;
    const message = `The start of release ${release} was taken up again`;
    const { id: cause } = this.#record('deployment.resumed', id, actor, message, release, under_way.cause);
    await resumeReplacement(this.#parts, id, { ...under_way, cause }).catch(() => {
      // It has been noted.
    });
  }

  /** How many instances are to run of a spec that becomes the current one. */
  #countFor(id: string, spec: Spec): number {
    return wantedInstances(this.#parts.registry.get(id), spec);
  }

  #record(
    type: NewEvent['type'],
    id: string,
    actor: string,
    message: string,
    release: number,
    cause: number | null = null,
  ) {
    return this.#parts.events.record({ type, service: id, release, actor, cause, message });
  }
}
