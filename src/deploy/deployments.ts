import type { Release } from '../contract/releases.ts';
import type { Spec } from '../contract/spec.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { failPoint } from '../lib/fail_point.ts';
import { milliseconds } from '../lib/units.ts';
import type { DeploymentHistory } from '../services/deployment_history.ts';
import type { NewEvent } from '../services/event_log.ts';
import type { StoredRelease } from '../services/release.ts';
import { runningInstances, wantedInstances } from '../services/service.ts';
import type { Dependencies } from '../supervision/dependencies.ts';
import { type CourseParts, Interruption } from './course.ts';
import { type Replacement, type ReplacementOrder, replaceRelease, resumeReplacement } from './replacement.ts';
import { strategyOf } from './rollout_strategy.ts';
import type { RunningDeployments } from './running_deployments.ts';

interface DeploymentsParts extends CourseParts {
  readonly dependencies: Dependencies;
  readonly history: DeploymentHistory;
  readonly running: RunningDeployments;
}

/** A release that is to run, and why. */
type ReplaceOrder = Omit<ReplacementOrder, 'strategy'>;

/** What is to be deployed of a service, which need not exist yet. */
export interface DeployOrder {
  readonly spec: Spec;
  readonly reason: Release['reason'];
  readonly instances: number;
  readonly actor: string;
  /** The deployment that waited for its turn; null: it came at once. */
  readonly deployment: number | null;
}

/** What a deployment did. */
type Deployed = Partial<Replacement> & { readonly release: number; readonly deployment: number };

/** Makes releases, and has them run instead of what does. Callers hold the service's lock, and have checked the spec. */
export class Deployments {
  readonly #parts: DeploymentsParts;

  constructor(parts: DeploymentsParts) {
    this.#parts = parts;
  }

  /** Makes a new release and has it run. Returns its number and what that took. */
  async deploy(id: string, { spec, reason, instances, actor, ...order }: DeployOrder): Promise<Deployed> {
    const { registry, supervisor, running } = this.#parts;
    await supervisor.check(id, spec);
    const release = registry.find(id)
      ? registry.addRelease(id, spec, reason, actor)
      : registry.create(id, spec, reason, actor).current_release;
    const deployment = order.deployment ?? running.add(id, actor, false);
    return this.#try(id, spec, { release, instances, actor, deployment }, 'Deployment of');
  }

  /** Makes a release the current one again. */
  async rollBack(
    id: string,
    { release, spec }: StoredRelease,
    { actor, deployment }: Pick<ReplacementOrder, 'actor'> & { readonly deployment: number },
  ): Promise<Deployed> {
    await this.#parts.supervisor.check(id, spec);
    const instances = this.#countFor(id, spec);
    return this.#try(id, spec, { release, instances, actor, deployment }, 'Rollback to');
  }

  /** Has the current release run, instead of what runs of it. */
  async replaceByCurrent(id: string, actor: string): Promise<Replacement> {
    const { registry, supervisor } = this.#parts;
    const { current_release: release } = registry.get(id);
    const spec = registry.spec(id);
    await supervisor.check(id, spec);
    const instances = this.#countFor(id, spec);
    const order = { release, instances, actor, is_deployment: false, cause: null, deployment: null };
    return this.#runInstead(id, spec, order);
  }

  /** Notes that a deployment failed, maybe before it could begin. What the next agent goes on with is not over. */
  noteRefusal(deployment: number, error: unknown): void {
    if (error instanceof Interruption) return;
    const { history } = this.#parts;
    const code = error instanceof DavitError ? error.code : 'internal';
    history.end(deployment, statusAfter(error), errorMessage(error), code);
  }

  #noteSuccess(deployment: number, release: number): void {
    const { history } = this.#parts;
    history.addStep(deployment, `Release ${release} is current`);
    history.end(deployment, 'succeeded', null);
  }

  async #try(
    id: string,
    spec: Spec,
    order: Omit<ReplaceOrder, 'cause' | 'is_deployment'> & { readonly deployment: number },
    what: string,
  ): Promise<Deployed> {
    const { history, registry } = this.#parts;
    const { release, actor, deployment } = order;
    const { id: cause } = this.#record(
      'deployment.started',
      id,
      actor,
      `${what} release ${release} started`,
      release,
    );
    const current = registry.get(id).current_release;
    const previous_release = current === release ? null : current;
    const started_at = new Date().toISOString();
    history.update(deployment, { status: 'running', release, previous_release, started_at });
    failPoint('deploy.release_written');
    try {
      const done = await this.#replace(id, spec, { ...order, cause, is_deployment: true });
      this.#noteSuccess(deployment, release);
      return { ...done, release, deployment };
    } catch (error) {
      this.noteRefusal(deployment, error);
      throw error;
    }
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
    const { supervisor, registry, running, history, reconciler } = this.#parts;
    const present = runningInstances(registry.get(id));
    const staying = present.filter(({ draining }) => draining === null);
    const strategy = strategyOf(
      spec,
      staying.map(({ number }) => number),
    );
    if (order.deployment !== null) history.update(order.deployment, { strategy });
    return running.run(id, order, async (steering) => {
      try {
        await this.#awaitDependencies(id, spec, order, steering.cancelled);
        // What is stopped can then be started again, too.
        await supervisor.reserve(id, spec, order.instances + present.length);
      } catch (error) {
        this.#noteFailure(id, order, errorMessage(error));
        throw error;
      }
      try {
        return await replaceRelease(this.#parts, id, { ...order, strategy }, steering);
      } finally {
        // What had proved itself may have ended while others had not.
        reconciler.look(id);
      }
    });
  }

  /** Throws `dependency_unmet`, with nothing touched, where what a spec depends on is not there in time. */
  async #awaitDependencies(
    id: string,
    spec: Spec,
    { actor, cause, release }: ReplaceOrder,
    cancelled: AbortSignal,
  ): Promise<void> {
    const { dependencies, events } = this.#parts;
    const unmet = dependencies.unmet(id, spec.depends_on);
    if (unmet.length === 0) return;
    const message = `Release ${release} waits for ${unmet.join(' and ')}`;
    events.record({ type: 'service.waiting', service: id, release, actor, cause, message });
    const { ready_timeout } = spec.rollout;
    const inTime = AbortSignal.timeout(milliseconds(ready_timeout));
    await dependencies.wait(id, spec.depends_on, AbortSignal.any([inTime, cancelled]));
    cancelled.throwIfAborted();
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
    const { registry, running } = this.#parts;
    const { under_way } = registry.get(id);
    if (under_way === null) return;
    const { release, actor, deployment } = under_way;
    const message = `The start of release ${release} was taken up again`;
    const { id: cause } = this.#record('deployment.resumed', id, actor, message, release, under_way.cause);
    const found = { ...under_way, cause };
    try {
      await running.run(id, found, (steering) => resumeReplacement(this.#parts, id, found, steering));
      if (deployment !== null) this.#noteSuccess(deployment, release);
    } catch (error) {
      // It has been noted with the service.
      if (deployment !== null) this.noteRefusal(deployment, error);
    }
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

function statusAfter(error: unknown): 'failed' | 'cancelled' | 'superseded' {
  if (!(error instanceof DavitError)) return 'failed';
  if (error.code === 'deployment_superseded') return 'superseded';
  return error.code === 'deployment_cancelled' ? 'cancelled' : 'failed';
}
