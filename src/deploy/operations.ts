import type { OperationResult } from '../contract/services.ts';
import { DavitError } from '../lib/errors.ts';
import { milliseconds } from '../lib/units.ts';
import type { EventLog } from '../services/event_log.ts';
import { stayingInstances } from '../services/service.ts';
import { applyPatch } from '../services/spec.ts';
import type { Dependencies } from '../supervision/dependencies.ts';
import type { Convergence } from './convergence.ts';
import type { Deployments } from './deployments.ts';
import { refuseOwn } from './own_services.ts';
import { operationResult, stopMessage } from './results.ts';
import type { ServiceTurns } from './service_turns.ts';
import type { Signals } from './signals.ts';
import { type StopParts, stopDrained, stopService } from './stop_instances.ts';

interface OperationsParts extends StopParts {
  readonly events: EventLog;
  readonly dependencies: Dependencies;
  readonly turns: ServiceTurns;
  readonly deployments: Deployments;
  readonly convergence: Convergence;
  readonly signals: Signals;
}

/**
 * What can be asked of a service while it stays what it is: its current release starts and stops, and its processes are
 * signalled. Each waits for its turn. `actor` is who asked, for the events.
 */
export class Operations {
  readonly #parts: OperationsParts;

  constructor(parts: OperationsParts) {
    this.#parts = parts;
  }

  /** Starts the current release, as far as the service does not run already. */
  start(id: string, actor: string): Promise<OperationResult> {
    const { registry, dependencies, turns, deployments, convergence } = this.#parts;
    return turns.takeNow(id, async () => {
      const service = registry.get(id);
      const running = stayingInstances(service).filter(({ process }) => process !== null).length;
      if (running === registry.wantedInstances(id)) {
        registry.commit(id, { wanted: 'running' });
        return operationResult(registry, id, 'started', 'Service was already running');
      }
      const unmet = dependencies.unmet(id);
      if (running === 0 && unmet.length === 0) {
        const done = await deployments.replaceByCurrent(id, actor);
        const what = registry.spec(id).type === 'task' ? 'Task' : 'Service';
        return operationResult(registry, id, 'started', `${what} started`, done);
      }
      registry.commit(id, { wanted: 'running' });
      const woken = convergence.wake(id, actor);
      return unmet.length === 0
        ? operationResult(registry, id, 'started', `${woken} more instances are started`)
        : operationResult(registry, id, 'waiting', `Service waits for ${unmet.join(' and ')}`);
    });
  }

  /** Stops the whole tree of each instance; a service that is stopped already stays so. */
  stop(id: string, actor: string): Promise<OperationResult> {
    refuseOwn(id);
    const { registry, turns, convergence } = this.#parts;
    return turns.takeOver(id, actor, async () => {
      // What was left to the next agent is not gone on with, either.
      registry.commit(id, { wanted: 'stopped', under_way: null });
      const stop = await stopService(this.#parts, id, { actor, cause: null });
      const waited = convergence.rest(id);
      const stopped = (message: string) => operationResult(registry, id, 'stopped', message, { stop });
      if (stop !== null) return stopped(stopMessage(stop));
      return stopped(waited ? 'Service stopped; it was not running' : 'Service was already stopped');
    });
  }

  /** Starts the current release again. */
  restart(id: string, actor: string): Promise<OperationResult> {
    const { registry, turns, deployments } = this.#parts;
    return turns.takeNow(id, async () => {
      const done = await deployments.replaceByCurrent(id, actor);
      return operationResult(registry, id, 'restarted', 'Service restarted', done);
    });
  }

  /** Stops one instance and starts it again. Throws what a start throws; then it is stopped. */
  restartInstance(id: string, number: number, actor: string): Promise<OperationResult> {
    const { registry, supervisor, turns } = this.#parts;
    return turns.takeNow(id, async () => {
      const { current_release: release } = registry.get(id);
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
      const order = { actor, cause: null };
      const timeout = milliseconds(spec.rollout.drain_timeout);
      const stop = await stopDrained(this.#parts, id, { ...order, timeout }, isMeant, 'agent_stopped');
      await supervisor.start({ ...order, service: id, number, release, spec, trigger: 'manual' });
      return operationResult(registry, id, 'restarted', `Instance ${number} restarted`, { stop });
    });
  }

  /** Changes how many instances run: starts what is missing, stops those with the highest numbers. */
  scale(id: string, instances: number, actor: string): Promise<OperationResult> {
    refuseOwn(id);
    const { registry, events, turns, convergence } = this.#parts;
    return turns.takeNow(id, async () => {
      const spec = registry.spec(id);
      applyPatch(spec, { instances });
      const before = registry.wantedInstances(id);
      registry.announce(id, { scale: instances === spec.instances ? null : instances });
      const message = `Service is scaled from ${before} to ${instances} instances`;
      events.record({ type: 'service.scaled', service: id, actor, message });
      const stop = await convergence.converge(id, actor);
      return operationResult(registry, id, 'scaled', message, { stop });
    });
  }

  signal(id: string, signal: NodeJS.Signals, actor: string): Promise<OperationResult> {
    if (signal === 'SIGSTOP') return this.pause(id, actor);
    if (signal === 'SIGCONT') return this.resume(id, actor);
    const { registry, turns, signals } = this.#parts;
    return turns.takeNow(id, async () => {
      const message = await signals.send(id, signal, actor);
      return operationResult(registry, id, 'signalled', message);
    });
  }

  /** Stops the whole tree in its tracks (SIGSTOP). */
  pause(id: string, actor: string): Promise<OperationResult> {
    const { registry, turns, signals } = this.#parts;
    return turns.takeNow(id, async () => {
      await signals.pause(id, actor);
      return operationResult(registry, id, 'paused', 'Service paused');
    });
  }

  /** Lets it go on (SIGCONT). */
  resume(id: string, actor: string): Promise<OperationResult> {
    const { registry, turns, signals } = this.#parts;
    return turns.takeNow(id, async () => {
      await signals.resume(id, actor);
      return operationResult(registry, id, 'resumed', 'Service resumed');
    });
  }
}
