import { DavitError } from '../lib/errors.ts';
import type { EventLog, NewEvent } from '../services/event_log.ts';
import { nextState } from '../services/lifecycle.ts';
import type { Registry } from '../services/registry.ts';
import { runningInstances } from '../services/service.ts';
import type { Supervisor } from '../supervision/supervisor.ts';

interface SignalsParts {
  readonly registry: Registry;
  readonly supervisor: Supervisor;
  readonly events: EventLog;
}

/** Sends signals to all processes of a service. Callers hold the service's lock. */
export class Signals {
  readonly #parts: SignalsParts;

  constructor(parts: SignalsParts) {
    this.#parts = parts;
  }

  /** Returns what was done. Throws `state_conflict` where nothing runs. */
  async send(id: string, signal: NodeJS.Signals, actor: string): Promise<string> {
    const reached = await this.#signalRunning(id, signal);
    this.#record('service.signalled', id, actor, `${signal} was sent`);
    return `${signal} sent to ${reached} ${reached === 1 ? 'process' : 'processes'}`;
  }

  /** Stops the whole tree in its tracks (SIGSTOP). */
  async pause(id: string, actor: string): Promise<void> {
    this.#advanceAll(id, 'pause');
    await this.#signalRunning(id, 'SIGSTOP');
    this.#record('service.paused', id, actor, 'Service was paused');
  }

  async resume(id: string, actor: string): Promise<void> {
    this.#advanceAll(id, 'resume');
    await this.#signalRunning(id, 'SIGCONT');
    this.#record('service.resumed', id, actor, 'Service was resumed');
  }

  /** Throws `state_conflict`, with nothing changed, where one of the instances cannot. */
  #advanceAll(id: string, event: 'pause' | 'resume'): void {
    const { registry } = this.#parts;
    const running = runningInstances(registry.get(id)).filter(({ state }) => state !== 'draining');
    const [first] = registry.get(id).instances;
    if (running.length === 0) registry.advance(id, first?.number ?? 1, event);
    for (const { state } of running) nextState(state, event);
    for (const { number } of running) registry.advance(id, number, event);
  }

  async #signalRunning(id: string, signal: NodeJS.Signals): Promise<number> {
    const { registry, supervisor } = this.#parts;
    const running = runningInstances(registry.get(id));
    if (running.length === 0) throw new DavitError('state_conflict', `service "${id}" is not running`);
    const reached = await Promise.all(running.map(({ number }) => supervisor.signal(id, number, signal)));
    return reached.reduce((sum, count) => sum + count, 0);
  }

  #record(type: NewEvent['type'], service: string, actor: string, message: string) {
    return this.#parts.events.record({ type, service, actor, message });
  }
}
