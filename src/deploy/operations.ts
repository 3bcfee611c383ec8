import { isDeepStrictEqual } from 'node:util';
import type { BatchOperation } from '../contract/batch.ts';
import type { Deployment } from '../contract/deployments.ts';
import type { StopReport } from '../contract/processes.ts';
import type { Release } from '../contract/releases.ts';
import type { OperationResult } from '../contract/services.ts';
import type { Command, Spec, SpecPatch } from '../contract/spec.ts';
import { DavitError } from '../lib/errors.ts';
import { milliseconds } from '../lib/units.ts';
import type { DeploymentHistory } from '../services/deployment_history.ts';
import type { EventLog, NewEvent } from '../services/event_log.ts';
import type { Registry } from '../services/registry.ts';
import {
  type Authority,
  noAuthority,
  requireOpenPatch,
  requireOpenSpec,
  requireUnsealed,
  type SealedChange,
} from '../services/seal.ts';
import { runningInstances, stayingInstances } from '../services/service.ts';
import { applyPatch } from '../services/spec.ts';
import { needsRestart } from '../services/spec_changes.ts';
import { awaitsDeploy } from '../supervision/awaited_values.ts';
import type { Dependencies } from '../supervision/dependencies.ts';
import { levels } from '../supervision/dependency_order.ts';
import type { Reconciler } from '../supervision/reconciler.ts';
import { requireReferences } from '../supervision/references.ts';
import type { Supervisor } from '../supervision/supervisor.ts';
import { batchOrder } from './batch_order.ts';
import { Convergence } from './convergence.ts';
import { Deployments, type DeployOrder } from './deployments.ts';
import { refuseOwn } from './own_services.ts';
import { deployMessage, operationResult, stopMessage } from './results.ts';
import { Retirement } from './retirement.ts';
import { RunningDeployments } from './running_deployments.ts';
import { bySchedule, startScheduled } from './scheduled_start.ts';
import { Signals } from './signals.ts';
import { stopDrained, stopWhere } from './stop_instances.ts';
import type { Traffic } from './traffic.ts';

interface OperationsOptions {
  readonly registry: Registry;
  readonly supervisor: Supervisor;
  readonly reconciler: Reconciler;
  readonly dependencies: Dependencies;
  readonly events: EventLog;
  readonly history: DeploymentHistory;
  readonly traffic: Traffic;
  readonly onProblem: (message: string) => void;
  /** Removes all that is kept of a deleted service beside its record: output, histories, versions of files. */
  readonly forget: (service: string) => Promise<void>;
  /** Throws where something of a service runs that no record knows of. */
  readonly refuseSecond: (service: string) => Promise<void>;
  /** Whether only sealed services may be deployed by whoever has no authority over commands. */
  readonly requiresSealed: () => boolean;
}

/** A deployment that nobody waited for. */
const fromDeploy = { reason: 'deploy', deployment: null } as const;

/** Where a service was declared, and whether what runs of it is to be replaced. */
interface DeclareOptions {
  readonly declared_in: string;
  readonly restart: boolean;
  /** Default: none. */
  readonly authority?: Authority;
}

/**
 * What can be asked of a service. Each waits for its turn: operations on one service run one after another.
 * `actor` is who asked, for the events; `authority`, whether they may decide what is executed: without it, a sealed service
 * keeps its commands, and what would change them throws `command_sealed`.
 */
export class Operations {
  readonly #options: OperationsOptions;
  readonly #deployments: Deployments;
  readonly #convergence: Convergence;
  readonly #retirement: Retirement;
  readonly #running: RunningDeployments;
  readonly #signals: Signals;

  constructor(options: OperationsOptions) {
    this.#options = options;
    this.#retirement = new Retirement(options);
    this.#running = new RunningDeployments(options);
    const parts = { ...options, retirement: this.#retirement, running: this.#running };
    this.#deployments = new Deployments(parts);
    this.#convergence = new Convergence(parts);
    this.#signals = new Signals(options);
  }

  /** Goes on with what an earlier agent left half done. What is to be said of one service is said by `finish`. */
  begin(): void {
    const { registry, history } = this.#options;
    const takenUp = new Set(registry.services().map(({ under_way }) => under_way?.deployment ?? 0));
    // An agent that dies right after a commit has not noted the end.
    const isDone = ({ service, release }: Deployment) =>
      release !== null &&
      registry.find(service)?.current_release === release &&
      registry.release(service, release).outcome === 'succeeded';
    history.endLost((id) => takenUp.has(id), isDone);
    this.#retirement.begin();
  }

  /** Leaves to the next agent what takes long: what is compared, what drains. */
  interrupt(): void {
    this.#running.interrupt();
    this.#retirement.close();
  }

  /** Registers a service without starting it. */
  create(id: string, given: Spec, actor: string, authority = noAuthority): Promise<OperationResult> {
    return this.#turn(id, async () => {
      refuseOwn(id);
      const { registry } = this.#options;
      const spec = applyPatch(null, given as SpecPatch);
      if (registry.find(id) === null) requireOpenSpec(this.#sealedChange(id, authority), spec);
      this.#checkReferences(id, spec);
      registry.create(id, spec, 'create', actor);
      registry.commit(id);
      this.#record('service.created', id, actor, 'Service was registered with release 1');
      return this.#result(id, 'created', 'Service created; it has not been started');
    });
  }

  /** Makes a new release the current one without starting it. */
  update(id: string, patch: SpecPatch, actor: string, authority = noAuthority): Promise<OperationResult> {
    return this.#turnNow(id, async () => {
      refuseOwn(id);
      const { registry } = this.#options;
      registry.get(id);
      requireOpenPatch(this.#sealedChange(id, authority), patch);
      const spec = applyPatch(registry.spec(id), patch);
      this.#checkReferences(id, spec);
      this.#makeCurrent(id, spec, 'update', actor, scaleAfter(patch, registry.get(id).scale));
      await this.#convergence.converge(id, actor);
      const { restart_required } = registry.status(id);
      const message = restart_required
        ? 'Service updated; restart it for that to take effect'
        : 'Service updated';
      return this.#result(id, 'updated', message);
    });
  }

  /** Stops a service and forgets it: its releases, its state and its logs. Throws `state_conflict` where others depend on it. */
  delete(id: string, actor: string, authority = noAuthority): Promise<OperationResult> {
    refuseOwn(id);
    const requireRight = () => requireUnsealed(this.#sealedChange(id, authority), 'delete it');
    // Before anything that is under way is ended for it, and once more when it is its turn.
    requireRight();
    return this.#endedTurn(id, actor, async () => {
      this.#options.registry.get(id);
      requireRight();
      const { dependencies } = this.#options;
      const dependents = [...dependencies.dependentsOf(id)].filter((name) => name !== id);
      if (dependents.length > 0)
        throw new DavitError(
          'state_conflict',
          `${dependents.join(', ')} depends on "${id}": delete that first`,
        );
      return this.#stopAndForget(id, actor);
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
    requireOpenPatch(this.#sealedChange(id, authority), patch);
    return this.#deployInTurn(id, actor, supersedes, (deployment) =>
      this.#deploy(id, patch, 'deploy', actor, deployment, authority),
    );
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
    return this.#turnNow(id, async () => {
      const { registry } = this.#options;
      const existing = registry.find(id);
      requireOpenSpec(this.#sealedChange(id, authority), spec);
      if (awaitsDeploy(spec)) return this.#declareUnstarted(id, spec, declared_in, actor);
      const isAsItIsWanted = existing?.instances.some(
        ({ process, state }) => process !== null || state === 'completed',
      );
      if (restart || !isAsItIsWanted) {
        try {
          const { instances } = spec;
          return await this.#deployWhole(id, { ...fromDeploy, spec, instances, actor });
        } finally {
          // It is declared, also if its first start fails.
          if (registry.find(id) !== null) registry.commit(id, { declared_in });
        }
      }
      this.#checkReferences(id, spec);
      this.#makeCurrent(id, spec, 'deploy', actor, null);
      registry.commit(id, { wanted: 'running', declared_in });
      await this.#convergence.converge(id, actor);
      return this.#result(id, 'updated', 'Service updated; what runs of it stays');
    });
  }

  /** Starts the service again; a command makes a new release with it, as a deploy would. */
  restart(
    id: string,
    command: Command | undefined,
    actor: string,
    authority = noAuthority,
  ): Promise<OperationResult> {
    return this.#turnNow(id, async () => {
      if (command !== undefined) {
        refuseOwn(id);
        const deployed = await this.#deploy(id, { command }, 'restart', actor, null, authority);
        return { ...deployed, status: 'restarted', message: 'Service restarted with a new command' };
      }
      const done = await this.#deployments.replaceByCurrent(id, actor);
      return this.#result(id, 'restarted', 'Service restarted', done);
    });
  }

  /** Stops one instance and starts it again. Throws what a start throws; then it is stopped. */
  restartInstance(id: string, number: number, actor: string): Promise<OperationResult> {
    return this.#turnNow(id, async () => {
      const { registry, supervisor } = this.#options;
      const { current_release } = registry.get(id);
      const spec = registry.spec(id);
      if (registry.instance(id, number).draining?.is_leaving)
        throw new DavitError(
          'state_conflict',
          `instance ${number} is on its way out: another one took its place`,
        );
      await supervisor.check(id, spec);
      registry.commit(id, { wanted: 'running' });
      // Where the agent dies in between, the next one starts it.
      const isMeant = (_: string, other: number) => other === number;
      const timeout = milliseconds(spec.rollout.drain_timeout);
      const order = { actor, cause: null, timeout };
      const stop = await stopDrained(this.#stopParts, id, order, isMeant, 'agent_stopped');
      await supervisor.start({
        service: id,
        number,
        release: current_release,
        spec,
        actor,
        cause: null,
        trigger: 'manual',
      });
      return this.#result(id, 'restarted', `Instance ${number} restarted`, { stop });
    });
  }

  /** Starts the current release, as far as the service does not run already. */
  start(id: string, actor: string): Promise<OperationResult> {
    return this.#turnNow(id, async () => {
      const { registry, dependencies } = this.#options;
      const service = registry.get(id);
      const running = stayingInstances(service).filter(({ process }) => process !== null).length;
      if (running === registry.wantedInstances(id)) {
        registry.commit(id, { wanted: 'running' });
        return this.#result(id, 'started', 'Service was already running');
      }
      const unmet = dependencies.unmet(id);
      if (running === 0 && unmet.length === 0) {
        const done = await this.#deployments.replaceByCurrent(id, actor);
        const { type } = registry.spec(id);
        return this.#result(id, 'started', type === 'task' ? 'Task started' : 'Service started', done);
      }
      registry.commit(id, { wanted: 'running' });
      const woken = this.#convergence.wake(id, actor);
      if (unmet.length === 0) return this.#result(id, 'started', `${woken} more instances are started`);
      return this.#result(id, 'waiting', `Service waits for ${unmet.join(' and ')}`);
    });
  }

  /** Starts a task whose time has come, unless it still runs. How it goes is noted with the task. */
  runScheduled(id: string, scheduled_for: Date): Promise<void> {
    return this.#turn(id, () => startScheduled(this.#options, id, scheduled_for));
  }

  /** Ends what runs of a task, so that its next run can begin. */
  async endRun(id: string): Promise<void> {
    await this.#turn(id, async () => {
      await this.#stopRunning(id, bySchedule, null);
      this.#convergence.rest(id);
    });
  }

  /** Stops the whole tree of each instance; a service that is stopped already stays so. */
  stop(id: string, actor: string): Promise<OperationResult> {
    refuseOwn(id);
    return this.#stopInTurn(id, actor);
  }

  /** Changes how many instances run: starts what is missing, stops those with the highest numbers. */
  scale(id: string, instances: number, actor: string): Promise<OperationResult> {
    refuseOwn(id);
    return this.#turnNow(id, async () => {
      const { registry } = this.#options;
      const spec = registry.spec(id);
      applyPatch(spec, { instances });
      const before = registry.wantedInstances(id);
      registry.announce(id, { scale: instances === spec.instances ? null : instances });
      const message = `Service is scaled from ${before} to ${instances} instances`;
      this.#record('service.scaled', id, actor, message);
      const stop = await this.#convergence.converge(id, actor);
      return this.#result(id, 'scaled', message, { stop });
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
    this.#options.registry.get(id);
    return this.#deployInTurn(id, actor, false, async (waited) => {
      const { registry } = this.#options;
      const target = release === undefined ? registry.lastGoodRelease(id) : registry.release(id, release);
      requireOpenSpec(this.#sealedChange(id, authority), target.spec);
      this.#checkReferences(id, target.spec);
      const deployment = waited ?? this.#running.add(id, actor, false);
      const done = await this.#deployments.rollBack(id, target, { actor, deployment });
      return this.#result(id, 'rolled_back', `Service rolled back to release ${target.release}`, done);
    });
  }

  /** Ends a deployment that is under way or waits. Throws `deployment_not_found` or `state_conflict`. */
  cancel(id: string, deployment: number, actor: string): void {
    this.#running.cancel(id, deployment, actor);
  }

  /** Ends the comparing of a deployment: its release gets all requests. Throws `deployment_not_found` or `state_conflict`. */
  promote(id: string, deployment: number, actor: string): void {
    this.#running.promote(id, deployment, actor);
  }

  /** Has a service of the agent itself run exactly as `spec` says; what runs is replaced where it must be. */
  keepOwn(id: string, spec: Spec): Promise<void> {
    return this.#turn(id, async () => {
      const { registry } = this.#options;
      const [existing, actor] = [registry.find(id), 'agent'];
      const runs = existing?.wanted === 'running' && runningInstances(existing).length > 0;
      const wanted = applyPatch(null, spec as SpecPatch);
      if (!runs || needsRestart(registry.spec(id), wanted)) {
        const { instances } = wanted;
        await this.#deployments.deploy(id, { ...fromDeploy, spec: wanted, instances, actor });
      } else if (!isDeepStrictEqual(registry.spec(id), wanted)) {
        this.#makeCurrent(id, wanted, 'update', actor, null);
        await this.#convergence.converge(id, actor);
      }
    });
  }

  /** Ends a service of the agent itself and forgets it, if there is one. */
  async endOwn(id: string): Promise<void> {
    const { registry } = this.#options;
    await this.#turn(id, async () => {
      if (registry.find(id) !== null) await this.#stopAndForget(id, 'agent');
    });
  }

  /** Brings to an end what an agent was doing with a service when it died, and starts again what ended with it or the host. */
  finish(id: string): Promise<void> {
    return this.#turn(id, async () => {
      const { registry } = this.#options;
      const { under_way, wanted } = registry.get(id);
      if (wanted === 'running' ? this.#convergence.startsByItself(id) : under_way !== null)
        await this.#refuseSecond(id);
      if (under_way !== null) await this.#deployments.finish(id);
      const now = registry.get(id);
      // What was interrupted once more is left to the next agent.
      if (now.wanted === 'stopped' || now.under_way !== null) return;
      await this.#convergence.converge(id, 'agent');
      this.#convergence.wakeDue(id);
    });
  }

  /** Throws `command_sealed` where a service is sealed, and only those with authority may do this with it. */
  requireUnsealed(id: string, what: string, authority: Authority): void {
    requireUnsealed(this.#sealedChange(id, authority), what);
  }

  /** Which operations of a batch must have ended before another one begins. */
  inOrder(items: readonly BatchOperation[]): (item: BatchOperation) => readonly BatchOperation[] {
    const { registry } = this.#options;
    const dependsOn = (id: string) =>
      registry.find(id) === null ? [] : Object.keys(registry.spec(id).depends_on);
    return batchOrder(items, dependsOn);
  }

  /** Stops everything that runs, because the agent ends: the next agent starts it again. What depends on others ends first. */
  async stopAll(actor: string): Promise<void> {
    const { registry } = this.#options;
    const graph = new Map(
      registry.services().map(({ id }) => [id, Object.keys(registry.spec(id).depends_on)]),
    );
    const stop = (id: string) =>
      this.#turn(id, async () => {
        if (registry.find(id) === null) return;
        await stopWhere(this.#options, id, { actor, cause: null }, () => true, 'agent_stopped');
      });
    for (const level of levels(graph).toReversed()) await Promise.allSettled(level.map(stop));
  }

  signal(id: string, signal: NodeJS.Signals, actor: string): Promise<OperationResult> {
    if (signal === 'SIGSTOP') return this.pause(id, actor);
    if (signal === 'SIGCONT') return this.resume(id, actor);
    return this.#turnNow(id, async () => {
      const message = await this.#signals.send(id, signal, actor);
      return this.#result(id, 'signalled', message);
    });
  }

  /** Stops the whole tree in its tracks (SIGSTOP). */
  pause(id: string, actor: string): Promise<OperationResult> {
    return this.#turnNow(id, async () => {
      await this.#signals.pause(id, actor);
      return this.#result(id, 'paused', 'Service paused');
    });
  }

  resume(id: string, actor: string): Promise<OperationResult> {
    return this.#turnNow(id, async () => {
      await this.#signals.resume(id, actor);
      return this.#result(id, 'resumed', 'Service resumed');
    });
  }

  /** Runs a deployment when its turn comes, as long as it is wanted then. */
  async #deployInTurn(
    id: string,
    actor: string,
    supersedes: boolean,
    work: (deployment: number | null) => Promise<OperationResult>,
  ): Promise<OperationResult> {
    // A service that there is not yet has nothing to wait for.
    if (this.#options.registry.find(id) === null) return this.#turn(id, () => work(null));
    if (!supersedes) this.#running.refuseWhileWaiting(id);
    const deployment = this.#running.add(id, actor, supersedes);
    const turn = this.#turn(id, async () => {
      try {
        this.#running.requireWanted(id, deployment);
        return await work(deployment);
      } catch (error) {
        this.#deployments.noteRefusal(deployment, error);
        throw error;
      } finally {
        this.#running.forget(deployment);
      }
    });
    const waits = this.#running.waitsForPromotion(deployment);
    const isOver = await Promise.race([turn.then(() => true), waits.then(() => false)]);
    if (isOver) return turn;
    turn.catch(() => {
      // It is noted with the deployment.
    });
    const message = `Deployment ${deployment} waits to be promoted`;
    return { ...this.#result(id, 'deployed', message), deployment };
  }

  async #deploy(
    id: string,
    patch: SpecPatch,
    reason: Release['reason'],
    actor: string,
    deployment: number | null,
    authority: Authority,
  ): Promise<OperationResult> {
    const { registry } = this.#options;
    const existing = registry.find(id);
    if (existing === null && reason === 'restart') registry.get(id);
    requireOpenPatch(this.#sealedChange(id, authority), patch);
    const spec = applyPatch(existing && registry.spec(id), patch);
    const scale = scaleAfter(patch, existing?.scale ?? null);
    return this.#deployWhole(id, { spec, reason, instances: scale ?? spec.instances, actor, deployment });
  }

  #declareUnstarted(id: string, spec: Spec, declared_in: string, actor: string): OperationResult {
    const { registry } = this.#options;
    this.#checkReferences(id, spec);
    const isNew = registry.find(id) === null;
    if (isNew) registry.create(id, spec, 'create', actor);
    else this.#makeCurrent(id, spec, 'deploy', actor, null);
    registry.commit(id, { declared_in });
    const message = 'Service is registered; it starts with the deploy that brings what it needs';
    if (isNew) this.#record('service.created', id, actor, message);
    return this.#result(id, isNew ? 'created' : 'updated', message);
  }

  #sealedChange(id: string, authority: Authority): SealedChange {
    const { registry, requiresSealed } = this.#options;
    const current = registry.find(id) === null ? null : registry.spec(id);
    return { id, current, authority, isRequired: requiresSealed() };
  }

  async #deployWhole(id: string, order: DeployOrder): Promise<OperationResult> {
    this.#checkReferences(id, order.spec);
    const { release, ...done } = await this.#deployments.deploy(id, order);
    return this.#result(id, 'deployed', deployMessage(release, this.#options.registry.nextRun(id)), done);
  }

  /** Throws, and nothing of a service is started by itself, where something of it runs that no record knows of. */
  async #refuseSecond(id: string): Promise<void> {
    try {
      await this.#options.refuseSecond(id);
    } catch (error) {
      this.#convergence.rest(id);
      throw error;
    }
  }

  #makeCurrent(id: string, spec: Spec, reason: Release['reason'], actor: string, scale: number | null): void {
    const { registry } = this.#options;
    const before = registry.spec(id);
    const release = registry.addRelease(id, spec, reason, actor);
    registry.commit(id, { current_release: release, scale });
    const when = needsRestart(before, spec) ? 'from the next start on' : 'from now on';
    this.#record('service.updated', id, actor, `Release ${release} is current ${when}`);
  }

  #checkReferences(id: string, spec: Spec): void {
    const { registry } = this.#options;
    const others = registry.services().filter((other) => other.id !== id);
    requireReferences(id, spec, new Map(others.map((other) => [other.id, registry.spec(other.id)])));
  }

  /** Lets requests be finished for as long as a stop may take, and stops all. */
  #stopRunning(id: string, actor: string | null, cause: number | null): Promise<StopReport | null> {
    const { rollout, stop } = this.#options.registry.spec(id);
    const timeout = Math.min(milliseconds(rollout.drain_timeout), milliseconds(stop.timeout));
    return stopDrained(this.#stopParts, id, { actor, cause, timeout }, () => true);
  }

  get #stopParts() {
    return { ...this.#options, retirement: this.#retirement };
  }

  async #stopAndForget(id: string, actor: string): Promise<OperationResult> {
    const { registry, history, forget } = this.#options;
    registry.commit(id, { wanted: 'stopped' });
    const stop = await this.#stopRunning(id, actor, null);
    const { current_release: release } = registry.get(id);
    registry.remove(id);
    history.forget(id);
    await forget(id);
    this.#record('service.deleted', id, actor, 'Service was deleted with its releases and logs');
    return { status: 'deleted', message: 'Service deleted', service: id, release, ...(stop && { stop }) };
  }

  #stopInTurn(id: string, actor: string): Promise<OperationResult> {
    return this.#endedTurn(id, actor, async () => {
      // What was left to the next agent is not gone on with, either.
      this.#options.registry.commit(id, { wanted: 'stopped', under_way: null });
      const stop = await this.#stopRunning(id, actor, null);
      const waited = this.#convergence.rest(id);
      if (stop === null && !waited) return this.#result(id, 'stopped', 'Service was already stopped');
      if (stop === null) return this.#result(id, 'stopped', 'Service stopped; it was not running');
      return this.#result(id, 'stopped', stopMessage(stop), { stop });
    });
  }

  /** Ends deployments of a service, and takes its turn after that. */
  #endedTurn<T>(id: string, actor: string, work: () => Promise<T>): Promise<T> {
    const hasTurn = this.#running.abandon(id, actor);
    return this.#turn(id, () => {
      hasTurn();
      return work();
    });
  }

  /** A turn for which nobody waits who knows how long: not while a deployment waits for somebody. */
  async #turnNow<T>(id: string, work: () => Promise<T>): Promise<T> {
    this.#running.refuseWhileWaiting(id);
    return this.#turn(id, work);
  }

  #turn<T>(id: string, work: () => Promise<T>): Promise<T> {
    return this.#options.registry.lock.run(id, work);
  }

  #record(
    type: NewEvent['type'],
    id: string,
    actor: string | null,
    message: string,
    release?: number,
    cause: number | null = null,
  ) {
    const about = { service: id, ...(release !== undefined && { release }) };
    const by = actor === null ? {} : { actor };
    return this.#options.events.record({ type, ...about, ...by, cause, message });
  }

  #result(
    id: string,
    status: OperationResult['status'],
    message: string,
    done?: Parameters<typeof operationResult>[2],
  ): OperationResult {
    return operationResult(this.#options.registry.get(id), { status, message }, done);
  }
}

/** A patch that says how many instances there are to be ends what was asked for beside the spec. */
function scaleAfter(patch: SpecPatch, scale: number | null): number | null {
  return 'instances' in patch ? null : scale;
}
