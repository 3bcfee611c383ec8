import type { OperationResult } from '../contract/services.ts';
import type { Command, Spec, SpecPatch } from '../contract/spec.ts';
import { DavitError } from '../lib/errors.ts';
import { type Authority, noAuthority } from '../services/seal.ts';
import type { Seals } from '../services/seals.ts';
import { applyPatch } from '../services/spec.ts';
import { awaitsDeploy } from '../supervision/awaited_values.ts';
import type { Dependencies } from '../supervision/dependencies.ts';
import type { Convergence } from './convergence.ts';
import type { Deployments, DeployOrder } from './deployments.ts';
import { refuseOwn } from './own_services.ts';
import type { Registration } from './registration.ts';
import { type RemovalParts, removeService } from './removal.ts';
import { deployMessage, operationResult } from './results.ts';
import type { RunningDeployments } from './running_deployments.ts';
import type { ServiceTurns } from './service_turns.ts';

interface ChangesParts extends RemovalParts {
  readonly dependencies: Dependencies;
  readonly seals: Seals;
  readonly turns: ServiceTurns;
  readonly running: RunningDeployments;
  readonly registration: Registration;
  readonly deployments: Deployments;
  readonly convergence: Convergence;
}

/** Where a service was declared, and whether what runs of it is to be replaced. */
interface DeclareOptions {
  readonly declared_in: string;
  readonly restart: boolean;
  /** Default: none. */
  readonly authority?: Authority;
}

/**
 * What makes a service another one: it gets another release, comes or goes. Each waits for its turn. `actor` is who asked, for
 * the events; `authority`, whether they may decide what is executed: without it, a sealed service keeps its commands, and what
 * would change them throws `command_sealed`.
 */
export class Changes {
  readonly #parts: ChangesParts;

  constructor(parts: ChangesParts) {
    this.#parts = parts;
  }

  /** Registers a service without starting it. */
  create(id: string, given: Spec, actor: string, authority = noAuthority): Promise<OperationResult> {
    const { registry, dependencies, seals, turns, registration } = this.#parts;
    return turns.take(id, async () => {
      refuseOwn(id);
      const spec = applyPatch(null, given as SpecPatch);
      if (registry.find(id) === null) seals.requireOpenSpec(id, spec, authority);
      dependencies.check(id, spec);
      registration.create(id, spec, actor, 'Service was registered with release 1');
      return operationResult(registry, id, 'created', 'Service created; it has not been started');
    });
  }

  /** Makes a new release the current one without starting it. */
  update(id: string, patch: SpecPatch, actor: string, authority = noAuthority): Promise<OperationResult> {
    const { registry, dependencies, seals, turns, registration, convergence } = this.#parts;
    return turns.takeNow(id, async () => {
      refuseOwn(id);
      const { scale } = registry.get(id);
      seals.requireOpenPatch(id, patch, authority);
      const spec = applyPatch(registry.spec(id), patch);
      dependencies.check(id, spec);
      registration.makeCurrent(id, spec, 'update', actor, scaleAfter(patch, scale));
      await convergence.converge(id, actor);
      const { restart_required } = registry.status(id);
      const message = restart_required
        ? 'Service updated; restart it for that to take effect'
        : 'Service updated';
      return operationResult(registry, id, 'updated', message);
    });
  }

  /**
   * Makes of a service exactly what `spec` says, which need not exist yet. What runs is replaced if that is asked for;
   * else it stays, and the new release is current. One that cannot start before a deploy brings what it needs is registered.
   */
  declare(
    id: string,
    spec: Spec,
    { declared_in, restart, authority = noAuthority }: DeclareOptions,
    actor: string,
  ): Promise<OperationResult> {
    refuseOwn(id);
    const { registry, dependencies, seals, turns, registration, convergence } = this.#parts;
    return turns.takeNow(id, async () => {
      const existing = registry.find(id);
      seals.requireOpenSpec(id, spec, authority);
      if (awaitsDeploy(spec)) return this.#declareUnstarted(id, spec, declared_in, actor);
      const isAsItIsWanted = existing?.instances.some(
        ({ process, state }) => process !== null || state === 'completed',
      );
      if (restart || !isAsItIsWanted) {
        try {
          const { instances } = spec;
          return await this.#deployWhole(id, { spec, instances, actor, reason: 'deploy', deployment: null });
        } finally {
          // It is declared, also if its first start fails.
          if (registry.find(id) !== null) registry.commit(id, { declared_in });
        }
      }
      dependencies.check(id, spec);
      registration.makeCurrent(id, spec, 'deploy', actor, null);
      registry.commit(id, { wanted: 'running', declared_in });
      await convergence.converge(id, actor);
      return operationResult(registry, id, 'updated', 'Service updated; what runs of it stays');
    });
  }

  /**
   * Makes a new release of the service, which need not exist yet, and replaces what runs by it. One that waits to be promoted
   * has been deployed.
   * Throws `spawn_failed`, `port_taken`, `dependency_unmet`, `exited_early`, `not_ready` or `release_worse` with what served
   * before running (again), and `deployment_superseded` or `deployment_cancelled`.
   * @param supersedes whether deployments of it that wait for their turn are not wanted any more
   */
  deploy(
    id: string,
    patch: SpecPatch,
    actor: string,
    supersedes = false,
    authority = noAuthority,
  ): Promise<OperationResult> {
    refuseOwn(id);
    // Before others are superseded by it, and once more when it is its turn.
    this.#parts.seals.requireOpenPatch(id, patch, authority);
    return this.#deployInTurn(id, actor, supersedes, (deployment) =>
      this.#deployPatched(id, patch, { reason: 'deploy', actor, deployment }, authority),
    );
  }

  /** Makes a new release with another command, as a deploy would, of a service that there is. */
  restart(id: string, command: Command, actor: string, authority = noAuthority): Promise<OperationResult> {
    const { registry, turns } = this.#parts;
    return turns.takeNow(id, async () => {
      refuseOwn(id);
      registry.get(id);
      const order = { reason: 'restart', actor, deployment: null } as const;
      const deployed = await this.#deployPatched(id, { command }, order, authority);
      return { ...deployed, status: 'restarted', message: 'Service restarted with a new command' };
    });
  }

  /** Makes an earlier release, or the last good one before the current, the current one again. */
  rollback(
    id: string,
    release: number | undefined,
    actor: string,
    authority = noAuthority,
  ): Promise<OperationResult> {
    refuseOwn(id);
    const { registry, dependencies, seals, running, deployments } = this.#parts;
    registry.get(id);
    return this.#deployInTurn(id, actor, false, async (waited) => {
      const target = release === undefined ? registry.lastGoodRelease(id) : registry.release(id, release);
      seals.requireOpenSpec(id, target.spec, authority);
      dependencies.check(id, target.spec);
      const deployment = waited ?? running.add(id, actor, false);
      const done = await deployments.rollBack(id, target, { actor, deployment });
      const message = `Service rolled back to release ${target.release}`;
      return operationResult(registry, id, 'rolled_back', message, done);
    });
  }

  /** Stops a service and forgets it: its releases, its state and its logs. Throws `state_conflict` where others depend on it. */
  delete(id: string, actor: string, authority = noAuthority): Promise<OperationResult> {
    refuseOwn(id);
    const { registry, dependencies, seals, turns } = this.#parts;
    const requireRight = () => seals.requireUnsealed(id, 'delete it', authority);
    // Before anything that is under way is ended for it, and once more when it is its turn.
    requireRight();
    return turns.takeOver(id, actor, async () => {
      registry.get(id);
      requireRight();
      const dependents = [...dependencies.dependentsOf(id)].filter((name) => name !== id);
      if (dependents.length > 0)
        throw new DavitError(
          'state_conflict',
          `${dependents.join(', ')} depends on "${id}": delete that first`,
        );
      return removeService(this.#parts, id, actor);
    });
  }

  #declareUnstarted(id: string, spec: Spec, declared_in: string, actor: string): OperationResult {
    const { registry, dependencies, registration } = this.#parts;
    dependencies.check(id, spec);
    const isNew = registry.find(id) === null;
    const message = 'Service is registered; it starts with the deploy that brings what it needs';
    if (isNew) registration.create(id, spec, actor, message, declared_in);
    else {
      registration.makeCurrent(id, spec, 'deploy', actor, null);
      registry.commit(id, { declared_in });
    }
    return operationResult(registry, id, isNew ? 'created' : 'updated', message);
  }

  /** Runs a deployment when its turn comes, as long as it is wanted then. */
  async #deployInTurn(
    id: string,
    actor: string,
    supersedes: boolean,
    work: (deployment: number | null) => Promise<OperationResult>,
  ): Promise<OperationResult> {
    const { registry, turns, running, deployments } = this.#parts;
    // A service that there is not yet has nothing to wait for.
    if (registry.find(id) === null) return turns.take(id, () => work(null));
    if (!supersedes) running.refuseWhileWaiting(id);
    const deployment = running.add(id, actor, supersedes);
    const turn = turns.take(id, async () => {
      try {
        running.requireWanted(id, deployment);
        return await work(deployment);
      } catch (error) {
        deployments.noteRefusal(deployment, error);
        throw error;
      } finally {
        running.forget(deployment);
      }
    });
    const waits = running.waitsForPromotion(deployment);
    const isOver = await Promise.race([turn.then(() => true), waits.then(() => false)]);
    if (isOver) return turn;
    turn.catch(() => {
      // It is noted with the deployment.
    });
    const message = `Deployment ${deployment} waits to be promoted`;
    return { ...operationResult(registry, id, 'deployed', message), deployment };
  }

  async #deployPatched(
    id: string,
    patch: SpecPatch,
    order: Pick<DeployOrder, 'reason' | 'actor' | 'deployment'>,
    authority: Authority,
  ): Promise<OperationResult> {
    const { registry, seals } = this.#parts;
    const existing = registry.find(id);
    seals.requireOpenPatch(id, patch, authority);
    const spec = applyPatch(existing && registry.spec(id), patch);
    const scale = scaleAfter(patch, existing?.scale ?? null);
    return this.#deployWhole(id, { ...order, spec, instances: scale ?? spec.instances });
  }

  async #deployWhole(id: string, order: DeployOrder): Promise<OperationResult> {
    const { registry, dependencies, deployments } = this.#parts;
    dependencies.check(id, order.spec);
    const { release, ...done } = await deployments.deploy(id, order);
    return operationResult(registry, id, 'deployed', deployMessage(release, registry.nextRun(id)), done);
  }
}

/** A patch that says how many instances there are to be ends what was asked for beside the spec. */
function scaleAfter(patch: SpecPatch, scale: number | null): number | null {
  return 'instances' in patch ? null : scale;
}
