import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import type { HealthVerdict, ProbeKind, ProbeRun } from '../contract/health.ts';
import { transaction } from '../lib/database.ts';
import { errorMessage } from '../lib/errors.ts';

/** The outcome of one probe. */
export interface ProbeFact {
  readonly service: string;
  readonly instance: number;
  /** When the process of the instance was started, in milliseconds since the epoch. */
  readonly started_at: number;
  readonly kind: ProbeKind;
  /** When the probe began, in milliseconds since the epoch. */
  readonly at: number;
  readonly success: boolean;
  readonly verdict: HealthVerdict;
  readonly message: string;
  readonly duration_ms: number;
}

/** Which entries are wanted. Times are in milliseconds since the epoch. */
export interface HealthFilter {
  readonly service: string;
  readonly instance?: number;
  readonly kind?: ProbeKind;
  readonly since?: number;
  readonly until?: number;
  /** At most so many, the newest. */
  readonly limit: number;
}

/** Outcomes that are alike and follow each other. */
interface Run {
  /** Null: not written yet. */
  id: number | bigint | null;
  readonly first: ProbeFact;
  last: ProbeFact;
  count: number;
  shortest_ms: number;
  longest_ms: number;
  total_ms: number;
}

/** How many entries of a service are kept. */
const kept = 5_000;
/** How long an entry may reach, in milliseconds. */
const longestRun = 900_000;
/** How soon a new entry is written, and how soon that one has grown, in milliseconds. */
const writtenAfter = 1_000;
const grownAfter = 60_000;

/**
 * What the probes of each service said, in SQLite: one entry for all probes in a row with the same outcome. The growth of
 * an entry is written once a minute, which is all that is lost when the agent is killed. It goes with its service.
 */
export class HealthHistory {
  readonly #database: DatabaseSync;
  readonly #onProblem: (message: string) => void;
  readonly #statements;
  /** The last entry of each probe of each instance. */
  readonly #latest = new Map<string, Run>();
  readonly #new = new Set<Run>();
  readonly #grown = new Set<Run>();
  /** When the last probe of all began. */
  #newest = 0;
  #writeNew: NodeJS.Timeout | undefined;
  #writeGrown: NodeJS.Timeout | undefined;

  constructor(database: DatabaseSync, onProblem: (message: string) => void) {
    this.#database = database;
    this.#onProblem = onProblem;
    this.#statements = {
      // A service may have been deleted meanwhile.
      insert: database.prepare(
        `INSERT INTO health_runs (service, instance, kind, verdict, success, message, first_at, last_at, count,
           shortest_ms, longest_ms, total_ms)
         SELECT :service, :instance, :kind, :verdict, :success, :message, :first_at, :last_at, :count,
           :shortest_ms, :longest_ms, :total_ms
         WHERE EXISTS (SELECT 1 FROM services WHERE id = :service)`,
      ),
      update: database.prepare(
        `UPDATE health_runs SET message = :message, last_at = :last_at, count = :count,
           shortest_ms = :shortest_ms, longest_ms = :longest_ms, total_ms = :total_ms WHERE id = :id`,
      ),
      prune: database.prepare(
        `DELETE FROM health_runs WHERE service = :service AND id <=
           (SELECT id FROM health_runs WHERE service = :service ORDER BY id DESC LIMIT 1 OFFSET ${kept})`,
      ),
      list: database.prepare(
        `SELECT * FROM health_runs WHERE service = :service
           AND (:instance IS NULL OR instance = :instance) AND (:kind IS NULL OR kind = :kind)
           AND (:since IS NULL OR last_at >= :since) AND (:until IS NULL OR first_at <= :until)
         ORDER BY id DESC LIMIT :limit`,
      ),
    };
  }

  record(fact: ProbeFact): void {
    const key = `${fact.service} ${fact.instance} ${fact.kind}`;
    const latest = this.#latest.get(key);
    this.#newest = fact.at;
    if (latest !== undefined && continues(latest, fact)) {
      grow(latest, fact);
      if (!this.#new.has(latest)) this.#grown.add(latest);
      this.#writeGrown ??= setTimeout(() => this.flush(), grownAfter).unref();
      return;
    }
    const { duration_ms } = fact;
    const durations = { shortest_ms: duration_ms, longest_ms: duration_ms, total_ms: duration_ms };
    const run: Run = { id: null, first: fact, last: fact, count: 1, ...durations };
    this.#latest.set(key, run);
    this.#new.add(run);
    this.#writeNew ??= setTimeout(() => this.#flushNew(), writtenAfter).unref();
  }

  /** The newest that fit, oldest first. */
  list({ service, instance, kind, since, until, limit }: HealthFilter): ProbeRun[] {
    this.flush();
    const rows = this.#statements.list.all({
      service,
      instance: instance ?? null,
      kind: kind ?? null,
      since: since ?? null,
      until: until ?? null,
      limit,
    });
    return rows.reverse().map(shown);
  }

  /** A service was deleted: what follows under its name is another's. */
  forget(service: string): void {
    for (const [key, { first }] of this.#latest) if (first.service === service) this.#latest.delete(key);
    for (const runs of [this.#new, this.#grown])
      for (const run of runs) if (run.first.service === service) runs.delete(run);
  }

  /** Writes what has not been written yet. */
  flush(): void {
    clearTimeout(this.#writeGrown);
    this.#writeGrown = undefined;
    this.#flushNew();
    this.#write(this.#grown);
    // Of probes that are no longer made.
    for (const [key, { last }] of this.#latest)
      if (last.at < this.#newest - longestRun) this.#latest.delete(key);
  }

  close(): void {
    this.flush();
  }

  #flushNew(): void {
    clearTimeout(this.#writeNew);
    this.#writeNew = undefined;
    this.#write(this.#new);
  }

  #write(runs: Set<Run>): void {
    if (runs.size === 0) return;
    try {
      transaction(this.#database, () => {
        for (const run of runs) this.#put(run);
        for (const service of new Set([...runs].map(({ first }) => first.service)))
          if (runs === this.#new) this.#statements.prune.run({ service });
      });
    } catch (error) {
      this.#onProblem(`${runs.size} entries of the health history cannot be written: ${errorMessage(error)}`);
    }
    runs.clear();
  }

  #put(run: Run): void {
    const { first, last, count, shortest_ms, longest_ms, total_ms } = run;
    const { message, at: last_at } = last;
    const changing = { message, last_at, count, shortest_ms, longest_ms, total_ms };
    if (run.id !== null) {
      this.#statements.update.run({ ...changing, id: run.id });
      return;
    }
    const { service, instance, kind, verdict, at: first_at } = first;
    const success = Number(first.success);
    const fixed = { service, instance, kind, verdict, success, first_at };
    const { changes, lastInsertRowid } = this.#statements.insert.run({ ...fixed, ...changing });
    if (changes > 0) run.id = lastInsertRowid;
  }
}

/** Whether a fact is more of the same. Each failure that says something else is an entry of its own. */
function continues({ first, last }: Run, fact: ProbeFact): boolean {
  return (
    first.success === fact.success &&
    first.verdict === fact.verdict &&
    first.started_at === fact.started_at &&
    (fact.success || last.message === fact.message) &&
    fact.at >= last.at &&
    fact.at - first.at < longestRun
  );
}

function grow(run: Run, fact: ProbeFact): void {
  run.last = fact;
  run.count++;
  run.shortest_ms = Math.min(run.shortest_ms, fact.duration_ms);
  run.longest_ms = Math.max(run.longest_ms, fact.duration_ms);
  run.total_ms += fact.duration_ms;
}

function shown(row: Record<string, SQLOutputValue>): ProbeRun {
  const number = (name: string) => Number(row[name]);
  const moment = (name: string) => new Date(number(name)).toISOString();
  const rounded = (duration: number) => Math.round(duration * 10) / 10;
  return {
    instance: number('instance'),
    kind: row['kind'] as ProbeKind,
    success: row['success'] === 1,
    verdict: row['verdict'] as HealthVerdict,
    message: String(row['message']),
    first_at: moment('first_at'),
    last_at: moment('last_at'),
    count: number('count'),
    duration_ms: {
      shortest: rounded(number('shortest_ms')),
      mean: rounded(number('total_ms') / number('count')),
      longest: rounded(number('longest_ms')),
    },
  };
}
