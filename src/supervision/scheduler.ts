import type { Schedule } from '../contract/policies.ts';
import { nextTime } from '../lib/cron.ts';
import { errorMessage } from '../lib/errors.ts';
import type { Registry } from '../services/registry.ts';
import type { NotedRun } from '../services/run_history.ts';
import { onDue } from './overlap.ts';

/** What is due and later than this, in milliseconds, is not run any more: the host slept, or no agent was there. */
const latest = 60_000;
/** The time is looked at at least so often, in milliseconds: a clock may be set, and a host sleep. */
const lookInterval = 15_000;
/** No more due times than this are counted of what was missed. */
const mostCounted = 1_000;

export interface SchedulerOptions {
  readonly registry: Registry;
  /** Whether a run of it has not ended, which is also so between two attempts of one. */
  readonly isRunning: (id: string) => boolean;
  /** Starts its instance; resolves once that is done. */
  readonly run: (id: string, scheduledFor: Date) => Promise<void>;
  /** Ends the run that there is; resolves once it is gone. */
  readonly stopRun: (id: string) => Promise<void>;
  /** The last due time of a service of which it is known what became of it; null: of none. */
  readonly lastDue: (id: string) => Date | null;
  /** Is told what was due and was not run. */
  readonly onNotRun: (noted: NotedRun) => void;
  readonly onProblem: (message: string) => void;
}

/** A service that has a schedule and is wanted to run. */
interface Task {
  schedule: Schedule;
  /** Milliseconds since the epoch; null: never. */
  next: number | null;
  /** The due time whose run begins once the present one has ended; null: none waits. */
  waiting: Date | null;
  /** A start or an end is under way that the scheduler asked for. */
  isBusy: boolean;
}

/** Starts tasks when they are due, with one timer for all. */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #tasks = new Map<string, Task>();
  readonly #changed = new Set<string>();
  #unsubscribe = () => {};
  #soon: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** When the time was looked at last, in milliseconds since the epoch. */
  #lookedAt = 0;

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  /** @param awakeUntil when the agent before this one was last known to act: what was due since then was missed; null: not known */
  start(awakeUntil: Date | null): void {
    const { registry } = this.#options;
    const now = Date.now();
    this.#unsubscribe = registry.subscribe((id) => this.#noteChange(id));
    for (const { id } of registry.services()) {
      const known = Math.max(awakeUntil?.getTime() ?? now, this.#options.lastDue(id)?.getTime() ?? 0);
      this.#takeUp(id, Math.min(known, now));
    }
    this.#lookedAt = now;
    this.#look();
  }

  /** Starts nothing from now on. */
  close(): void {
    this.#unsubscribe();
    clearImmediate(this.#soon);
    clearTimeout(this.#timer);
    for (const [id, { waiting }] of this.#tasks)
      if (waiting) this.#note(id, 'skipped', waiting, 'the agent ended before its turn came');
    this.#tasks.clear();
  }

  /** Many changes in one turn, such as of a service that starts, are looked at once. */
  #noteChange(id: string): void {
    this.#changed.add(id);
    this.#soon ??= setImmediate(() => {
      this.#soon = undefined;
      const now = Date.now();
      for (const changed of this.#changed) this.#takeUp(changed, now);
      this.#changed.clear();
      this.#setTimer();
    });
  }

  /** Takes over what the registry says of a service. A schedule that is new counts from `since`. */
  #takeUp(id: string, since: number): void {
    const known = this.#tasks.get(id);
    const schedule = this.#scheduleOf(id);
    if (schedule === null) {
      this.#tasks.delete(id);
      if (known?.waiting) this.#note(id, 'skipped', known.waiting, 'it was stopped before its turn came');
      return;
    }
    const task = known ?? { schedule, next: null, waiting: null, isBusy: false };
    this.#tasks.set(id, task);
    const isDueOtherwise = known === undefined || !isDueAlike(known.schedule, schedule);
    task.schedule = schedule;
    if (isDueOtherwise) this.#plan(id, task, since);
    this.#beginWaiting(id);
  }

  #scheduleOf(id: string): Schedule | null {
    const { registry } = this.#options;
    const service = registry.find(id);
    return service?.wanted === 'running' ? registry.spec(id).schedule : null;
  }

  /** Works out when it is due next after `since`. */
  #plan(id: string, task: Task, since: number): void {
    try {
      task.next = nextTime(task.schedule, new Date(since))?.getTime() ?? null;
    } catch (error) {
      task.next = null;
      this.#options.onProblem(`the schedule of "${id}" cannot be followed: ${errorMessage(error)}`);
    }
  }

  #setTimer(): void {
    clearTimeout(this.#timer);
    if (this.#tasks.size === 0) return;
    const next = Math.min(...[...this.#tasks.values()].map(({ next }) => next ?? Number.POSITIVE_INFINITY));
    const wait = Math.min(Math.max(0, next - Date.now()), lookInterval);
    this.#timer = setTimeout(() => this.#look(), wait).unref();
  }

  #look(): void {
    const now = Date.now();
    // A clock that was set back by more than a moment: the times begin anew with what it shows.
    const wasSetBack = now < this.#lookedAt - latest;
    this.#lookedAt = now;
    for (const [id, task] of this.#tasks) {
      // Stopped or deleted in this very turn.
      if (this.#scheduleOf(id) === null) continue;
      if (wasSetBack) this.#plan(id, task, now);
      if (task.next !== null && task.next <= now) this.#due(id, task, task.next, now);
    }
    this.#setTimer();
  }

  /** Deals with what became due until now: the last of it is run if it is not too late, the others are missed. */
  #due(id: string, task: Task, first: number, now: number): void {
    const { last, before, count } = this.#passed(id, task, first, now);
    const isInTime = now - last <= latest;
    const [missed, newest] = isInTime ? [count - 1, before] : [count, last];
    const more = count >= mostCounted ? '; there were more than are counted' : '';
    if (missed > 0)
      this.#note(id, 'missed', new Date(newest), `agent or host were off, asleep or busy${more}`, missed);
    if (isInTime) this.#begin(id, task, new Date(last));
  }

  /** The last due time until now, the one before it, and how many there were; sets the next one. */
  #passed(id: string, task: Task, first: number, now: number) {
    let [last, before, count] = [first, first, 1];
    for (;;) {
      // What was missed over a long time is not all gone through.
      this.#plan(id, task, count === mostCounted ? Math.max(last, now - latest) : last);
      if (task.next === null || task.next > now) return { last, before, count };
      [last, before] = [task.next, last];
      count += 1;
    }
  }

  #begin(id: string, task: Task, due: Date): void {
    const isRunning = task.isBusy || this.#options.isRunning(id);
    switch (onDue(task.schedule.overlap, { isRunning, isWaiting: task.waiting !== null })) {
      case 'start':
        this.#run(id, task, due);
        break;
      case 'wait':
        task.waiting = due;
        break;
      case 'replace':
        task.waiting = due;
        this.#end(id, task);
        break;
      case 'supersede':
        if (task.waiting)
          this.#note(id, 'skipped', task.waiting, 'the next one was due before its turn came');
        task.waiting = due;
        // What was to end is there all the same: it was being started again just then.
        if (!task.isBusy) this.#end(id, task);
        break;
      case 'skip':
        this.#note(id, 'skipped', due, 'the run before it had not ended');
    }
  }

  #run(id: string, task: Task, due: Date): void {
    this.#act(id, task, this.#options.run(id, due), (reason) => {
      this.#note(id, 'failed', due, `it could not be started: ${reason}`);
    });
  }

  #end(id: string, task: Task): void {
    this.#act(id, task, this.#options.stopRun(id), (reason) => {
      if (task.waiting) this.#note(id, 'skipped', task.waiting, `the run before it did not end: ${reason}`);
      task.waiting = null;
    });
  }

  #act(id: string, task: Task, work: Promise<void>, onFailure: (reason: string) => void): void {
    task.isBusy = true;
    work
      .catch((error: unknown) => onFailure(errorMessage(error)))
      .finally(() => {
        task.isBusy = false;
        this.#beginWaiting(id);
      });
  }

  #beginWaiting(id: string): void {
    const task = this.#tasks.get(id);
    if (!task?.waiting || task.isBusy || this.#options.isRunning(id)) return;
    const due = task.waiting;
    task.waiting = null;
    this.#run(id, task, due);
  }

  #note(id: string, outcome: NotedRun['outcome'], due: Date, message: string, times = 1): void {
    this.#options.onNotRun({ service: id, scheduled_for: due, outcome, message, times });
  }
}

function isDueAlike(one: Schedule, other: Schedule): boolean {
  return one === other || (one.cron === other.cron && one.time_zone === other.time_zone);
}
