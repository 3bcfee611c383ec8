import { DavitError } from '../lib/errors.ts';
import type { DeploymentHistory } from '../services/deployment_history.ts';
import type { EventLog } from '../services/event_log.ts';
import type { UnderWay } from '../services/service.ts';
import { Abandonment, Interruption, type Steering } from './course.ts';

interface RunningDeploymentsParts {
  readonly events: EventLog;
  readonly history: DeploymentHistory;
}

interface Running {
  readonly deployment: number | null;
  readonly release: number;
  readonly cancel: AbortController;
  readonly promote: () => void;
  /** Whether it waits for somebody, for as long as that takes. */
  waits: boolean;
}

/** The replacements that are under way, and those that wait for their turn: watched, cancelled, promoted. */
export class RunningDeployments {
  readonly #parts: RunningDeploymentsParts;
  readonly #running = new Map<string, Running>();
  /** By service: who waits for their turn to stop it. */
  readonly #abandoned = new Map<string, Set<Abandonment>>();
  readonly #interrupted = new AbortController();
  /** By deployment: who is told that it has got to where it waits for somebody. */
  readonly #onWaiting = new Map<number, () => void>();

  constructor(parts: RunningDeploymentsParts) {
    this.#parts = parts;
  }

  /**
   * Notes a deployment that waits for its turn. Returns its id.
   * @param supersedes whether those of the service that wait already are not wanted any more
   */
  add(service: string, actor: string, supersedes: boolean): number {
    const { history } = this.#parts;
    const earlier = history.open(service).filter(({ status }) => status === 'waiting');
    const id = history.add({ service, actor });
    if (!supersedes) return id;
    this.#supersedeWaiting(service, id);
    for (const other of earlier)
      this.#endWaiting(other.id, service, 'superseded', `deployment ${id} took its place`, actor);
    return id;
  }

  /** Throws why a deployment whose turn has come is not wanted any more, or not begun by this agent. */
  requireWanted(service: string, deployment: number): void {
    this.#interrupted.signal.throwIfAborted();
    const { status, cause } = this.#parts.history.get(service, deployment);
    if (status === 'superseded') throw new DavitError('deployment_superseded', `not begun: ${cause}`);
    if (status === 'cancelled') throw new DavitError('deployment_cancelled', `not begun: ${cause}`);
  }

  /** Resolves when a deployment waits for somebody to promote it. */
  waitsForPromotion(deployment: number): Promise<void> {
    return new Promise((resolve) => this.#onWaiting.set(deployment, resolve));
  }

  /** Nobody is told any more that a deployment waits for somebody. */
  forget(deployment: number): void {
    this.#onWaiting.delete(deployment);
  }

  /** Runs a replacement that can be steered, and notes how it goes. */
  async run<T>(
    service: string,
    { deployment, release, actor, cause }: Pick<UnderWay, 'deployment' | 'release' | 'actor' | 'cause'>,
    work: (steering: Steering) => Promise<T>,
  ): Promise<T> {
    const { events, history } = this.#parts;
    // What the next agent is to go on with must not be replaced by something else before.
    this.#interrupted.signal.throwIfAborted();
    const cancel = new AbortController();
    for (const reason of this.#abandoned.get(service) ?? []) cancel.abort(reason);
    const { promise: promoted, resolve: promote } = Promise.withResolvers<void>();
    const running: Running = { deployment, release, cancel, promote, waits: false };
    this.#running.set(service, running);
    const step: Steering['step'] = (message, status = 'running') => {
      events.record({ type: 'deployment.progressed', service, release, actor, cause, message });
      running.waits = status === 'baking_until_promoted';
      if (deployment === null) return;
      history.addStep(deployment, message);
      history.update(deployment, { status: status === 'running' ? 'running' : 'baking' });
      if (status === 'baking_until_promoted') this.#onWaiting.get(deployment)?.();
    };
    try {
      return await work({ cancelled: cancel.signal, interrupted: this.#interrupted.signal, promoted, step });
    } finally {
      this.#running.delete(service);
    }
  }

  /** Throws `deployment_not_found`, or `state_conflict` where it is over. */
  cancel(service: string, deployment: number, actor: string): void {
    const { history, events } = this.#parts;
    const { status } = history.get(service, deployment);
    if (status === 'waiting') {
      this.#endWaiting(deployment, service, 'cancelled', `it was cancelled by ${actor}`, actor);
      return;
    }
    const { release, cancel } = this.#require(service, deployment);
    const message = `The deployment of release ${release} is cancelled`;
    events.record({ type: 'deployment.cancelled', service, release, actor, message });
    cancel.abort(new DavitError('deployment_cancelled', `the deployment was cancelled by ${actor}`));
  }

  /** Ends the comparing. Throws `deployment_not_found`, or `state_conflict` where nothing is compared. */
  promote(service: string, deployment: number, actor: string): void {
    const { history, events } = this.#parts;
    const { release, promote } = this.#require(service, deployment);
    if (history.get(service, deployment).status !== 'baking')
      throw new DavitError('state_conflict', `deployment ${deployment} has not got so far yet`);
    const message = `Release ${release} is promoted`;
    events.record({ type: 'deployment.promoted', service, release, actor, message });
    history.addStep(deployment, message);
    promote();
  }

  /** Throws `state_conflict` where a deployment waits for somebody: nothing else would have its turn before that. */
  refuseWhileWaiting(service: string): void {
    const running = this.#running.get(service);
    if (running?.waits !== true) return;
    const { deployment, release } = running;
    const message = `release ${release} of "${service}" waits to be promoted: promote or cancel deployment ${deployment} first`;
    throw new DavitError('state_conflict', message);
  }

  /**
   * Ends what is under way of a service that is to be stopped, and what waits. What else begins of it ends at once, until the
   * returned function is called.
   */
  abandon(service: string, actor: string): () => void {
    const reason = new Abandonment(actor);
    const reasons = this.#abandoned.get(service) ?? new Set();
    this.#abandoned.set(service, reasons.add(reason));
    for (const { id, status } of this.#parts.history.open(service))
      if (status === 'waiting')
        this.#endWaiting(id, service, 'cancelled', `the service was stopped by ${actor}`, actor);
    this.#running.get(service)?.cancel.abort(reason);
    return () => {
      reasons.delete(reason);
      if (reasons.size === 0) this.#abandoned.delete(service);
    };
  }

  /** The agent ends: what compares leaves that to the next one. */
  interrupt(): void {
    this.#interrupted.abort(new Interruption());
  }

  /** One that waits for somebody gives way. */
  #supersedeWaiting(service: string, by: number): void {
    const running = this.#running.get(service);
    if (running?.waits !== true) return;
    const message = `deployment ${by} took its place`;
    this.#parts.events.record({ type: 'deployment.superseded', service, release: running.release, message });
    running.cancel.abort(new DavitError('deployment_superseded', message));
  }

  #require(service: string, deployment: number): Running {
    const { status } = this.#parts.history.get(service, deployment);
    const running = this.#running.get(service);
    if (running?.deployment === deployment) return running;
    throw new DavitError('state_conflict', `deployment ${deployment} is not under way: it is ${status}`);
  }

  #endWaiting(
    id: number,
    service: string,
    status: 'cancelled' | 'superseded',
    cause: string,
    actor: string,
  ): void {
    const { history, events } = this.#parts;
    history.end(id, status, cause);
    const message = `Deployment ${id} was not begun: ${cause}`;
    events.record({ type: `deployment.${status}`, service, actor, message });
  }
}
