import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import type { RunOutcome, RunTrigger, TaskRun } from '../contract/runs.ts';
import { errorMessage } from '../lib/errors.ts';
import type { LastExit } from './instance.ts';

/** A run that begins. */
export interface StartedRun {
  readonly service: string;
  readonly instance: number;
  /** Its number among those of the service, as its log has it. */
  readonly run: number;
  readonly release: number;
  readonly trigger: RunTrigger;
  /** When its schedule asked for it; null: no schedule did. */
  readonly scheduled_for: Date | null;
}

/** A run that has ended. */
export interface EndedRun {
  readonly service: string;
  readonly instance: number;
  readonly run: number;
  readonly exit: LastExit;
  readonly outcome: 'succeeded' | 'failed' | 'stopped' | 'lost';
}

/** Why something that was due was not run. */
export interface NotedRun {
  readonly service: string;
  readonly scheduled_for: Date;
  /** `failed`: it could not even be started. */
  readonly outcome: 'skipped' | 'missed' | 'failed';
  readonly message: string;
  /** How many due times in a row that were; default 1. */
  readonly times?: number;
}

/** How many entries of a service are kept. */
const kept = 200;

/**
 * What became of each run of each task, in SQLite, and of each time at which one was due and was not run.
 * It goes with its service. A line that cannot be written is reported, and the task runs all the same.
 */
export class RunHistory {
  readonly #onProblem: (message: string) => void;
  readonly #statements;

  constructor(database: DatabaseSync, onProblem: (message: string) => void) {
    this.#onProblem = onProblem;
    const prepare = (sql: string) => database.prepare(sql);
    this.#statements = {
      add: prepare(
        `INSERT INTO task_runs
           (service, run, release, instance, trigger, scheduled_for, started_at, outcome, message, times)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ),
      prune: prepare(
        `DELETE FROM task_runs WHERE service = :service AND id <=
           (SELECT id FROM task_runs WHERE service = :service ORDER BY id DESC LIMIT 1 OFFSET ${kept})`,
      ),
      end: prepare(
        `UPDATE task_runs SET ended_at = ?, outcome = ?, return_code = ?, signal = ?, message = ?
         WHERE service = ? AND run = ? AND instance = ?`,
      ),
      newest: prepare('SELECT * FROM task_runs WHERE service = ? ORDER BY id DESC LIMIT 1'),
      repeat: prepare('UPDATE task_runs SET scheduled_for = ?, message = ?, times = ? WHERE id = ?'),
      list: prepare('SELECT * FROM task_runs WHERE service = ? ORDER BY id DESC LIMIT ?'),
      lastDue: prepare('SELECT max(scheduled_for) AS due FROM task_runs WHERE service = ?'),
      remove: prepare('DELETE FROM task_runs WHERE service = ?'),
    };
  }

  started({ service, run, release, instance, trigger, scheduled_for }: StartedRun): void {
    const [due, now] = [scheduled_for?.getTime() ?? null, Date.now()];
    this.#write(service, () => {
      this.#statements.add.run(
        service,
        run,
        release,
        instance,
        trigger,
        due,
        now,
        'running',
        'It is running',
        1,
      );
      this.#statements.prune.run({ service });
    });
  }

  ended({ service, run, instance, exit, outcome }: EndedRun): void {
    const { at, return_code, signal, message } = exit;
    this.#write(service, () =>
      this.#statements.end.run(at, outcome, return_code, signal, message, service, run, instance),
    );
  }

  /** Notes what was not run. What follows directly upon the same outcome is counted there: no flood hides the runs. */
  noted({ service, scheduled_for, outcome, message, times = 1 }: NotedRun): void {
    const due = scheduled_for.getTime();
    this.#write(service, () => {
      const newest = this.#statements.newest.get(service);
      // It was started, and its end tells more than that the start failed.
      if (outcome === 'failed' && newest?.['scheduled_for'] === due) return;
      if (newest?.['outcome'] === outcome && newest['started_at'] === null && outcome !== 'failed') {
        this.#statements.repeat.run(due, message, Number(newest['times']) + times, Number(newest['id']));
        return;
      }
      this.#statements.add.run(service, null, null, null, 'schedule', due, null, outcome, message, times);
      this.#statements.prune.run({ service });
    });
  }

  /** Newest first. */
  list({ service, limit }: { readonly service: string; readonly limit: number }): TaskRun[] {
    return this.#statements.list.all(service, limit).map(taskRun);
  }

  /** The last time at which a run was due of which something is known; null: there was none. */
  lastDue(service: string): Date | null {
    const last = this.#statements.lastDue.get(service)?.['due'];
    return typeof last === 'number' ? new Date(last) : null;
  }

  /** Forgets every run of a service; with the service itself they go without that. */
  forget(service: string): void {
    this.#write(service, () => this.#statements.remove.run(service));
  }

  #write(service: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#onProblem(`the history of the runs of "${service}" cannot be written: ${errorMessage(error)}`);
    }
  }
}

type Row = Readonly<Record<string, SQLOutputValue>>;

function taskRun(row: Row): TaskRun {
  const time = (name: string) => (row[name] === null ? null : new Date(Number(row[name])).toISOString());
  const number = (name: string) => (row[name] === null ? null : Number(row[name]));
  return {
    id: Number(row['id']),
    trigger: row['trigger'] as RunTrigger,
    outcome: row['outcome'] as RunOutcome,
    scheduled_for: time('scheduled_for'),
    started_at: time('started_at'),
    ended_at: time('ended_at'),
    release: number('release'),
    instance: number('instance'),
    return_code: number('return_code'),
    signal: row['signal'] === null ? null : String(row['signal']),
    message: String(row['message']),
    times: Number(row['times']),
  };
}
