import type { EventType } from '../contract/events.ts';
import type { EventLog } from '../services/event_log.ts';
import { type InstanceProcess, type LastExit, pidOf } from '../services/instance.ts';
import type { LifecycleEvent } from '../services/lifecycle.ts';
import type { Registry } from '../services/registry.ts';
import { afterExit, endedWell, type NextStep as PolicyStep } from './restart.ts';
import type { StopOrder } from './running_instance.ts';

/** What follows the end of an instance; `waits`: for what it depends on. */
export type NextStep = PolicyStep | { readonly next: 'waits' };

/** How one run of an instance ended. */
export interface RunEnd {
  readonly service: string;
  readonly instance: number;
  readonly run: number;
  readonly exit: LastExit;
  /** `lost`: nobody knows how it ended. */
  readonly outcome: 'succeeded' | 'failed' | 'stopped' | 'lost';
}

interface EndingsParts {
  readonly registry: Registry;
  readonly events: EventLog;
  readonly onRunEnded: (run: RunEnd) => void;
}

/** An instance whose process is gone. */
interface EndedInstance {
  readonly service: string;
  readonly number: number;
  readonly facts: InstanceProcess;
  readonly exit: LastExit;
  /** The stop that ended it; null: it ended by itself. */
  readonly stopping: StopOrder | null;
  readonly isOnTrial: boolean;
  /** Whether an agent was there when it ended. */
  readonly isSeen: boolean;
}

const endEvents: Readonly<Record<NextStep['next'], LifecycleEvent>> = {
  rests: 'ended',
  has_completed: 'completed',
  fails: 'gave_up',
  restarts: 'backed_off',
  waits: 'waits',
};

/** Notes how instances end, and what is to follow. */
export class Endings {
  readonly #parts: EndingsParts;

  constructor(parts: EndingsParts) {
    this.#parts = parts;
  }

  /** Notes the end of an instance that had a process, and returns what follows. */
  note(ended: EndedInstance): NextStep {
    const { service, number, facts, exit, stopping, isSeen } = ended;
    const { registry, events } = this.#parts;
    const { last_event } = registry.instance(service, number);
    const uptime = isSeen ? exit.at - facts.started_at : null;
    const step = this.#stepAfter(ended, uptime);
    const event = events.record({
      type: typeOf(stopping, step),
      service,
      instance: number,
      release: facts.release,
      pid: pidOf(facts),
      ...(stopping?.actor && { actor: stopping.actor }),
      cause: last_event,
      message: exit.message,
    });
    this.#tell(service, number, exit, stopping !== null);
    this.#apply(service, number, exit, step, event.id);
    return step;
  }

  /** Notes that an instance could not be started. */
  noteFailedStart(
    {
      service,
      number,
      release,
      actor,
      cause,
    }: Pick<InstanceProcess, 'release'> & {
      readonly service: string;
      readonly number: number;
      readonly actor: string | null;
      readonly cause: number | null;
    },
    isOnTrial: boolean,
    message: string,
  ): NextStep {
    const { registry, events } = this.#parts;
    const { last_event } = registry.instance(service, number);
    const exit: LastExit = {
      return_code: null,
      signal: null,
      at: Date.now(),
      reason: 'start_failed',
      message,
    };
    const event = events.record({
      type: 'service.start_failed',
      service,
      instance: number,
      release,
      ...(actor !== null && { actor }),
      cause: cause ?? last_event,
      message,
    });
    const step = isOnTrial ? rests : this.#byPolicy(service, number, exit, 0);
    this.#apply(service, number, exit, step, event.id);
    return step;
  }

  /** Notes an end of which nothing is known but why. */
  noteUnseen(service: string, number: number, exit: LastExit, type: EventType, pid?: number): void {
    const { registry, events } = this.#parts;
    const { last_event } = registry.instance(service, number);
    const { id } = events.record({
      type,
      service,
      instance: number,
      ...(pid !== undefined && { pid }),
      cause: last_event,
      message: exit.message,
    });
    this.#tell(service, number, exit, false);
    this.#apply(service, number, exit, rests, id);
  }

  #tell(service: string, number: number, exit: LastExit, wasStopped: boolean): void {
    const { registry, onRunEnded } = this.#parts;
    const { run } = registry.instance(service, number);
    const spec = registry.specOf(service, number);
    const isWell = endedWell({ exit, spec });
    const ended = exit.return_code === null ? 'lost' : isWell ? 'succeeded' : 'failed';
    onRunEnded({ service, instance: number, run, exit, outcome: wasStopped ? 'stopped' : ended });
  }

  #stepAfter(ended: EndedInstance, uptime: number | null): NextStep {
    const { service, number, exit, stopping } = ended;
    if (this.#parts.registry.instance(service, number).draining !== null) return rests;
    if (stopping?.reason === 'dependency') return { next: 'waits' };
    if (stopping !== null && stopping.reason !== 'unhealthy') return rests;
    if (ended.isOnTrial && exit.reason === 'start_failed') return rests;
    return this.#byPolicy(service, number, exit, uptime);
  }

  #byPolicy(service: string, number: number, exit: LastExit, uptime: number | null): NextStep {
    const { registry } = this.#parts;
    const spec = registry.specOf(service, number);
    const { restarts } = registry.instance(service, number);
    const step = afterExit({ spec, exit, uptime, restarts, now: exit.at, random: Math.random() });
    const { wanted, under_way } = registry.get(service);
    // One whose first deployment is under way is wanted by that.
    const isWanted = wanted === 'running' || under_way !== null;
    return isWanted || step.next === 'has_completed' ? step : rests;
  }

  #apply(service: string, number: number, last_exit: LastExit, step: NextStep, event: number): void {
    const { registry } = this.#parts;
    const last_event = this.#record(service, number, step, event);
    const { draining } = registry.instance(service, number);
    registry.advance(service, number, endEvents[step.next], {
      process: null,
      readiness: null,
      liveness: null,
      has_logged_ready: null,
      draining: null,
      last_exit,
      last_event,
      retry_at: 'retry_at' in step ? step.retry_at : null,
      ...('restarts' in step && { restarts: step.restarts }),
    });
    if (draining?.is_leaving) registry.removePlaces(service, [number]);
  }

  /** Says what follows, where that is not just the end. Returns the id of the last event. */
  #record(service: string, number: number, step: NextStep, cause: number): number {
    const { registry, events } = this.#parts;
    const subject = subjectOf(registry, service, number);
    if (step.next === 'restarts') {
      const seconds = Math.max(0, step.retry_at - Date.now()) / 1000;
      const when = seconds === 0 ? 'at once' : `in ${seconds.toFixed(1)} s`;
      const message = `${subject} is started again ${when} (restart ${step.restarts.count})`;
      return events.record({ type: 'service.restarting', service, instance: number, cause, message }).id;
    }
    if (step.next !== 'fails') return cause;
    const { limit } = registry.specOf(service, number).restart;
    const isLimit = step.restarts.count > 0;
    const why = isLimit ? `it was restarted ${limit.count} times within ${limit.within}` : 'it ended badly';
    const later =
      step.retry_at === null
        ? 'it stays so until someone acts'
        : `it is tried again at ${new Date(step.retry_at).toISOString()}`;
    const message = `${subject} has failed: ${why}; ${later}`;
    return events.record({ type: 'service.failed', service, instance: number, cause, message }).id;
  }
}

const rests: NextStep = { next: 'rests' };

function typeOf(stopping: StopOrder | null, step: NextStep): EventType {
  if (stopping !== null) return 'service.stopped';
  return step.next === 'has_completed' ? 'service.completed' : 'service.exited';
}

/** How an instance is called in a sentence: the number says nothing where there is only one. */
export function subjectOf(registry: Registry, service: string, number: number): string {
  return registry.get(service).instances.length === 1 ? 'Service' : `Instance ${number}`;
}
