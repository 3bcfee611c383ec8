import { EventEmitter, once } from 'node:events';
import type { DatabaseSync } from 'node:sqlite';
import type { Event, EventType } from '../contract/events.ts';
import { transaction } from '../lib/database.ts';
import { errorMessage } from '../lib/errors.ts';

/** A fact to be recorded; what is left out is null. */
export interface NewEvent {
  readonly type: EventType;
  readonly message: string;
  readonly service?: string;
  readonly release?: number;
  readonly pid?: number;
  readonly instance?: number;
  /** Who asked for it; left out when it happened by itself. */
  readonly actor?: string;
  /** The id of the event that led to it. */
  readonly cause?: number | null;
  /** The event in whose trace it is, where that is not its cause. */
  readonly within?: number | null;
}

/** Which events are wanted. */
export interface EventFilter {
  /** Only events with a greater id. */
  readonly after?: number;
  /** Only events with a smaller id. */
  readonly before?: number;
  /** Not earlier, in milliseconds since 1970. */
  readonly since?: number;
  /** Not later, in milliseconds since 1970. */
  readonly until?: number;
  readonly service?: string;
  readonly type?: EventType | readonly EventType[];
  /** Only what was done for this one; `any`: for anyone. */
  readonly actor?: string;
  /** At most so many. */
  readonly limit: number;
  /** Whether who asks may see it. */
  readonly visible: (event: Event) => boolean;
}

/** How many events are kept. */
const keptEvents = 20_000;
/** How many are read at once for who follows. */
const followedAtOnce = 200;
/** How many may be added before the oldest are removed. */
const pruneInterval = 1_000;

/** Events of something that goes on: what has one of them as its cause belongs to it. */
const beginnings = /^deployment\.|^service\.(?:starting|draining|stopping)$/;

/** Every change of state, kept in SQLite, and told to those who listen in the order in which it happened. */
export class EventLog {
  readonly #emitter = new EventEmitter({ captureRejections: false }).setMaxListeners(0);
  readonly #database: DatabaseSync;
  readonly #onProblem: (message: string) => void;
  readonly #traceId: () => string | null;
  readonly #insert;
  readonly #find;
  readonly #first;
  readonly #findTrace;
  readonly #unwritten: Event[] = [];
  #writeLater: NodeJS.Immediate | undefined;
  #lastId: number;

  /** @param traceId of the W3C trace in which what happens now comes about; null: of none but that of its cause */
  constructor(
    database: DatabaseSync,
    onProblem: (message: string) => void,
    traceId: () => string | null = () => null,
  ) {
    this.#database = database;
    this.#onProblem = onProblem;
    this.#traceId = traceId;
    this.#insert = database.prepare('INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
    this.#find = database.prepare('SELECT * FROM events WHERE id = ?');
    this.#first = database.prepare('SELECT min(id) AS id FROM events');
    this.#findTrace = database.prepare('SELECT type, trace_id FROM events WHERE id = ?');
    const row = database.prepare('SELECT max(id) AS id FROM events').get();
    this.#lastId = Number(row?.['id'] ?? 0);
  }

  /** Records a fact. It reaches those who listen even when it cannot be written. */
  record(fact: NewEvent): Event {
    const event: Event = {
      id: ++this.#lastId,
      time: new Date().toISOString(),
      type: fact.type,
      service: fact.service ?? null,
      release: fact.release ?? null,
      pid: fact.pid ?? null,
      instance: fact.instance ?? null,
      actor: fact.actor ?? null,
      cause: fact.cause ?? null,
      trace_id: this.#traceId() ?? this.#traceOf(fact.within ?? fact.cause ?? null),
      message: fact.message,
    };
    this.#unwritten.push(event);
    this.#writeLater ??= setImmediate(() => this.flush());
    this.#emitter.emit('event', event);
    return event;
  }

  /**
   * What a call has begun ends in its trace, also after it was answered and with another agent. What becomes later of an
   * instance that was started has that as its cause, and is of no trace.
   */
  #traceOf(cause: number | null): string | null {
    if (cause === null) return null;
    try {
      const event = this.#unwritten.find(({ id }) => id === cause) ?? this.#findTrace.get(cause);
      const isBeginning = beginnings.test(String(event?.type));
      return isBeginning ? ((event?.trace_id ?? null) as string | null) : null;
    } catch {
      // What cannot be read is told where it is looked for.
      return null;
    }
  }

  /** The id of the last event; 0: there is none. */
  get lastId(): number {
    return this.#lastId;
  }

  /** Whether all that happened after an event is kept. */
  isKept(after: number): boolean {
    if (after >= this.#lastId) return after === this.#lastId;
    this.flush();
    const first = this.#first.get()?.['id'] ?? null;
    return first !== null && after + 1 >= Number(first);
  }

  /** The first events after one, oldest first, at most so many. */
  next(after: number, limit: number, visible: EventFilter['visible']): Event[] {
    return this.#select({ after, limit, visible }, 'ASC');
  }

  /** When the last event happened; null: there is none. */
  get lastTime(): Date | null {
    const [last] = this.list({ limit: 1, visible: () => true });
    return last === undefined ? null : new Date(last.time);
  }

  /** The newest that fit, oldest first. */
  list(filter: EventFilter): Event[] {
    return this.#select(filter, 'DESC').reverse();
  }

  /** null where it is not kept any more. */
  find(id: number): Event | null {
    this.flush();
    const row = this.#find.get(id);
    return row === undefined ? null : toEvent(row);
  }

  /** The newest that fit, or all after `filter.after`, and then those that happen, until `signal` ends it. */
  async *follow(filter: EventFilter, signal: AbortSignal): AsyncGenerator<Event> {
    let cursor = filter.after ?? this.#lastId;
    if (filter.after === undefined) yield* this.list(filter);
    while (!signal.aborted) {
      const happened = once(this.#emitter, 'event', { signal }).catch(() => undefined);
      const last = this.#lastId;
      const next = this.#select({ ...filter, after: cursor, limit: followedAtOnce }, 'ASC');
      for (const event of next) {
        yield event;
        if (signal.aborted) return;
      }
      // What does not fit is not looked at again.
      cursor = next.length < followedAtOnce ? Math.max(cursor, last) : (next.at(-1)?.id ?? cursor);
      if (next.length === 0) await happened;
    }
  }

  /** Calls `listener` for each event from now on, until the returned function is called. */
  subscribe(listener: (event: Event) => void): () => void {
    this.#emitter.on('event', listener);
    return () => this.#emitter.off('event', listener);
  }

  /** Writes what was recorded since the last turn of the event loop, all at once. */
  flush(): void {
    clearImmediate(this.#writeLater);
    this.#writeLater = undefined;
    const events = this.#unwritten.splice(0);
    if (events.length === 0) return;
    try {
      transaction(this.#database, () => {
        for (const event of events) this.#write(event);
      });
    } catch (error) {
      this.#onProblem(`${events.length} events cannot be written: ${errorMessage(error)}`);
    }
  }

  #select({ limit, visible, ...filter }: EventFilter, order: 'ASC' | 'DESC'): Event[] {
    this.flush();
    const { conditions, values } = conditionsOf(filter);
    const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
    const rows = this.#database
      .prepare(`SELECT * FROM events ${where} ORDER BY id ${order}`)
      .iterate(...values);
    const found: Event[] = [];
    for (const row of rows) {
      const event = toEvent(row);
      if (visible(event) && found.push(event) === limit) break;
    }
    return found;
  }

  #write({ id, time, type, service, release, pid, instance, actor, cause, message, trace_id }: Event): void {
    const at = Date.parse(time);
    this.#insert.run(id, at, type, service, release, pid, actor, message, instance, cause, trace_id);
    if (id % pruneInterval === 0)
      this.#database.prepare('DELETE FROM events WHERE id <= ?').run(id - keptEvents);
  }
}

/** Only what is asked for becomes a condition, so that SQLite can choose the index that fits. */
function conditionsOf({
  after,
  before,
  since,
  until,
  service,
  type,
  actor,
}: Omit<EventFilter, 'limit' | 'visible'>) {
  const wanted: readonly (readonly [condition: string, value: number | string | undefined])[] = [
    ['id > ?', after],
    ['id < ?', before],
    ['time >= ?', since],
    ['time <= ?', until],
    ['service = ?', service],
    ['type IN (SELECT value FROM json_each(?))', type && JSON.stringify([type].flat())],
    actor === 'any' ? ['actor > ?', ''] : ['actor = ?', actor],
  ];
  const given = wanted.flatMap(([condition, value]) => (value === undefined ? [] : [{ condition, value }]));
  return { conditions: given.map(({ condition }) => condition), values: given.map(({ value }) => value) };
}

function toEvent(row: Readonly<Record<string, unknown>>): Event {
  return { ...row, time: new Date(Number(row['time'])).toISOString() } as Event;
}
