import type { OperationResult, Release, StopReport } from '../contract/answers.ts';
import type { Command, Spec, SpecPatch } from '../contract/spec.ts';
import { errorMessage } from '../lib/errors.ts';
import { failPoint } from '../lib/fail_point.ts';
import type { EventLog } from '../services/event_log.ts';
import type { Registry } from '../services/registry.ts';
import { pidOf } from '../services/service.ts';
import { applyPatch } from '../services/spec.ts';
import { startsAgain } from '../supervision/last_exit.ts';
import type { Supervisor } from '../supervision/supervisor.ts';
import { type Replacement, replaceRelease, resumeReplacement } from './replacement.ts';

interface OperationsOptions {
  readonly registry: Registry;
  readonly supervisor: Supervisor;
  readonly events: EventLog;
  /** Removes all output of a deleted service. */
  readonly removeLogs: (service: string) => Promise<void>;
  /** Ends what runs of a service although nobody knows of it. */
  readonly refuseSecond: (service: string) => Promise<void>;
}

/**
 * What can be asked of a service. Each waits for its turn: operations on one service run one after another.
 * `actor` is who asked, for the events.
 */
export class Operations {
  readonly #options: OperationsOptions;

  constructor(options: OperationsOptions) {
    this.#options = options;
  }

  /** Registers a service without starting it. */
  create(id: string, spec: Spec, actor: string): Promise<OperationResult> {
    return this.#turn(id, async () => {
      this.#options.registry.create(id, spec, 'create', actor);
      this.#options.registry.commit(id);
      this.#record('service.created', id, actor, 'Service was registered with release 1');
      return this.#result(id, 'created', 'Service created; it has not been started');
    });
  }

  /** Makes a new release the current one without starting it. */
  update(id: string, patch: SpecPatch, actor: string): Promise<OperationResult> {
    return this.#turn(id, async () => {
      const { registry } = this.#options;
      const spec = applyPatch(registry.spec(id), patch);
      const release = registry.addRelease(id, spec, 'update', actor);
      registry.commit(id, { current_release: release });
      this.#record('service.updated', id, actor, `Release ${release} is current from the next start on`);
      const { restart_required } = registry.status(id);
      const message = restart_required
        ? 'Service updated; restart it for that to take effect'
        : 'Service updated';
      return this.#result(id, 'updated', message);
    });
  }

  /** Stops a service and forgets it: its releases, its state and its logs. */
  delete(id: string, actor: string): Promise<OperationResult> {
    return this.#turn(id, async () => {
      const { registry } = this.#options;
      registry.commit(id, { wanted: 'stopped' });
      const stop = await this.#stopIfRunning(id, actor);
      const { current_release } = registry.get(id);
      registry.remove(id);
      await this.#options.removeLogs(id);
      this.#record('service.deleted', id, actor, 'Service was deleted with its releases and logs');
      return {
        status: 'deleted',
        message: 'Service deleted',
        service: id,
        release: current_release,
        ...(stop && { stop }),
      };
    });
  }

  /**
   * Makes a new release of the service, which need not exist yet, and replaces what runs by it.
   * Throws `spawn_failed` or `exited_early` with what served before running again.
   */
  deploy(id: string, patch: SpecPatch, actor: string): Promise<OperationResult> {
    return this.#turn(id, () => this.#deploy(id, patch, 'deploy', actor));
  }

  /** Starts the service again; a command makes a new release with it, as a deploy would. */
  restart(id: string, command: Command | undefined, actor: string): Promise<OperationResult> {
    return this.#turn(id, async () => {
      if (command !== undefined) {
        const deployed = await this.#deploy(id, { command }, 'restart', actor);
        return { ...deployed, status: 'restarted', message: 'Service restarted with a new command' };
      }
      const { registry } = this.#options;
      const done = await this.#replace(id, registry.get(id).current_release, actor);
      return this.#result(id, 'restarted', 'Service restarted', done);
    });
  }

  /** Starts the current release, unless the service runs already. */
  start(id: string, actor: string): Promise<OperationResult> {
    return this.#turn(id, async () => {
      const { registry } = this.#options;
      const service = registry.get(id);
      if (service.state !== 'stopped') {
        registry.commit(id, { wanted: 'running' });
        return this.#result(id, 'started', 'Service was already running');
      }
      const done = await this.#replace(id, service.current_release, actor);
      return this.#result(id, 'started', 'Service started', done);
    });
  }

  /** Stops the whole tree; a service that is stopped already stays so. */
  stop(id: string, actor: string): Promise<OperationResult> {
    return this.#turn(id, async () => {
      const { registry } = this.#options;
      registry.commit(id, { wanted: 'stopped' });
      const stop = await this.#stopIfRunning(id, actor);
      if (stop === null) return this.#result(id, 'stopped', 'Service was already stopped');
      return this.#result(id, 'stopped', stopMessage(stop), { stop });
    });
  }

  /** Makes an earlier release, or the last good one before the current, the current one again. */
  rollback(id: string, release: number | undefined, actor: string): Promise<OperationResult> {
    return this.#turn(id, async () => {
      const { registry } = this.#options;
      const target = release === undefined ? registry.lastGoodRelease(id) : registry.release(id, release);
      const done = await this.#replace(id, target.release, actor);
      return this.#result(id, 'rolled_back', `Service rolled back to release ${target.release}`, done);
    });
  }

  /** Brings to an end what an agent was doing with a service when it died, and starts again what ended with it or the host. */
  finish(id: string): Promise<void> {
    return this.#turn(id, async () => {
      const { wanted, state, last_exit, under_way, current_release } = this.#options.registry.get(id);
      const isDue = wanted === 'running' && state === 'stopped' && startsAgain(last_exit);
      if (under_way === null) {
        if (!isDue) return;
        await this.#options.refuseSecond(id);
        await this.#replace(id, current_release, 'agent');
        return;
      }
      if (this.#options.registry.get(id).process === null) await this.#options.refuseSecond(id);
      const { release, actor, is_deployment } = under_way;
      const note = (type: 'deployment.succeeded' | 'deployment.failed', message: string) =>
        is_deployment && this.#record(type, id, actor, message, release);
      this.#record(
        'deployment.resumed',
        id,
        actor,
        `The start of release ${release} was taken up again`,
        release,
      );
      try {
        await resumeReplacement(this.#options, id, under_way);
        note('deployment.succeeded', `Release ${release} is current`);
      } catch (error) {
        note('deployment.failed', errorMessage(error));
      }
    });
  }

  /** Stops everything that runs, because the agent ends: the next agent starts it again. */
  async stopAll(actor: string): Promise<void> {
    const { registry, supervisor } = this.#options;
    const stop = (id: string) =>
      this.#turn(id, async () => {
        if (registry.find(id)?.process == null) return;
        await supervisor.stop(id, registry.spec(id).stop, { reason: 'agent_stopped', actor });
      });
    await Promise.allSettled(registry.services().map(({ id }) => stop(id)));
  }

  signal(id: string, signal: NodeJS.Signals, actor: string): Promise<OperationResult> {
    if (signal === 'SIGSTOP') return this.pause(id, actor);
    if (signal === 'SIGCONT') return this.resume(id, actor);
    return this.#turn(id, async () => {
      this.#options.registry.get(id);
      const reached = await this.#options.supervisor.signal(id, signal);
      this.#record('service.signalled', id, actor, `${signal} was sent`);
      return this.#result(
        id,
        'signalled',
        `${signal} sent to ${reached} ${reached === 1 ? 'process' : 'processes'}`,
      );
    });
  }

  /** Stops the whole tree in its tracks (SIGSTOP). */
  pause(id: string, actor: string): Promise<OperationResult> {
    return this.#turn(id, async () => {
      const { registry, supervisor } = this.#options;
      registry.advance(id, 'pause');
      await supervisor.signal(id, 'SIGSTOP');
      this.#record('service.paused', id, actor, 'Service was paused');
      return this.#result(id, 'paused', 'Service paused');
    });
  }

  resume(id: string, actor: string): Promise<OperationResult> {
    return this.#turn(id, async () => {
      const { registry, supervisor } = this.#options;
      registry.advance(id, 'resume');
      await supervisor.signal(id, 'SIGCONT');
      this.#record('service.resumed', id, actor, 'Service was resumed');
      return this.#result(id, 'resumed', 'Service resumed');
    });
  }

  async #deploy(
    id: string,
    patch: SpecPatch,
    reason: Release['reason'],
    actor: string,
  ): Promise<OperationResult> {
    const { registry, supervisor } = this.#options;
    const existing = registry.find(id);
    if (existing === null && reason === 'restart') registry.get(id);
    const spec = applyPatch(existing && registry.spec(id), patch);
    supervisor.check(id, spec);
    const release = existing
      ? registry.addRelease(id, spec, reason, actor)
      : registry.create(id, spec, reason, actor).current_release;
    this.#record('deployment.started', id, actor, `Deployment of release ${release} started`, release);
    try {
      failPoint('deploy.release_written');
      const done = await replaceRelease(this.#options, id, { release, actor, is_deployment: true });
      this.#record('deployment.succeeded', id, actor, `Release ${release} is current`, release);
      return this.#result(id, 'deployed', `Service deployed as release ${release}`, done);
    } catch (error) {
      this.#record('deployment.failed', id, actor, errorMessage(error), release);
      throw error;
    }
  }

  async #replace(id: string, release: number, actor: string): Promise<Replacement> {
    const { registry, supervisor } = this.#options;
    supervisor.check(id, registry.release(id, release).spec);
    return replaceRelease(this.#options, id, { release, actor, is_deployment: false });
  }

  async #stopIfRunning(id: string, actor: string): Promise<StopReport | null> {
    const { registry, supervisor } = this.#options;
    if (registry.get(id).process === null) return null;
    return supervisor.stop(id, registry.spec(id).stop, { reason: 'stopped', actor });
  }

  #turn<T>(id: string, work: () => Promise<T>): Promise<T> {
    return this.#options.registry.lock.run(id, work);
  }

  #record(
    type: Parameters<EventLog['record']>[0]['type'],
    id: string,
    actor: string,
    message: string,
    release?: number,
  ): void {
    this.#options.events.record({
      type,
      service: id,
      actor,
      message,
      ...(release !== undefined && { release }),
    });
  }

  #result(
    id: string,
    status: OperationResult['status'],
    message: string,
    done: { readonly stop?: StopReport | null } = {},
  ): OperationResult {
    const { process, current_release } = this.#options.registry.get(id);
    return {
      status,
      ...(process && { pid: pidOf(process) }),
      message,
      service: id,
      release: current_release,
      ...(done.stop && { stop: done.stop }),
    };
  }
}

function stopMessage({ ended_by, survivors, swept, signal }: StopReport): string {
  if (survivors.length > 0)
    return `Service stopped, but these processes are still there: ${survivors.join(', ')}`;
  const how = ended_by === 'kill' ? `it did not end on ${signal} and was killed` : `it ended on ${signal}`;
  return swept.length > 0
    ? `Service stopped: ${how}, and ${swept.length} escaped descendants were killed`
    : `Service stopped: ${how}`;
}
