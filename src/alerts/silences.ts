import type { DatabaseSync } from 'node:sqlite';
import { type NewSilence, type Silence, silence } from '../contract/alerts.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { matchesGlob } from '../lib/glob.ts';
import { milliseconds } from '../lib/units.ts';
import { validate } from '../lib/validation.ts';
import type { EventLog } from '../services/event_log.ts';
import { newId } from './alert_record.ts';

interface SilencesOptions {
  readonly database: DatabaseSync;
  readonly events: EventLog;
  /** Told when something may have to be told now that was silenced, or the other way round. */
  readonly onChange: () => void;
  readonly onProblem: (message: string) => void;
  readonly now: () => number;
}

const mostSilences = 1_000;
/** How many answers are remembered. */
const mostKnown = 20_000;
/** The longest that one may last: one that is forgotten must not last for ever. In milliseconds. */
const longest = 366 * 86_400_000;

/** Which alerts nobody is told of for some time. They end by themselves, also while no agent runs. */
export class Silences {
  readonly #options: SilencesOptions;
  readonly #silences = new Map<string, Silence>();
  #endsNext = Number.POSITIVE_INFINITY;
  /** What was found by rule and service since silences changed last. */
  readonly #known = new Map<string, Silence | null>();

  constructor(options: SilencesOptions) {
    this.#options = options;
    const rows = options.database.prepare('SELECT record FROM silences ORDER BY ends_at').all();
    for (const { record } of rows) this.#load(String(record));
    this.#look();
  }

  /** Those that have not ended, the one that ends first at the beginning. */
  all(): Silence[] {
    return [...this.#silences.values()].toSorted((a, b) => Date.parse(a.ends_at) - Date.parse(b.ends_at));
  }

  /** Throws `silence_not_found`. */
  get(id: string): Silence {
    const silence = this.#silences.get(id);
    if (silence !== undefined) return silence;
    throw new DavitError('silence_not_found', `there is no silence "${id}"; it may have ended`);
  }

  /** When the next one ends, in milliseconds since the epoch; null: there is none. */
  get nextEnd(): number | null {
    return Number.isFinite(this.#endsNext) ? this.#endsNext : null;
  }

  /** The one that keeps an alert of this rule and service from being told; null: none does. */
  of(rule: string, service: string | null): Silence | null {
    const key = `${rule} ${service ?? ''}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const found = this.#silences.values().find((silence) => covers(silence, rule, service)) ?? null;
    if (this.#known.size >= mostKnown) this.#known.clear();
    this.#known.set(key, found);
    return found;
  }

  /** Throws `invalid_request` for an end that cannot be, `state_conflict` when there are too many, and `storage_unavailable`. */
  create({ rule, service, comment, ...wanted }: NewSilence, actor: string): Silence {
    const now = this.#options.now();
    const end = endOf(wanted, now);
    if (this.#silences.size >= mostSilences)
      throw new DavitError('state_conflict', `there are ${mostSilences} silences already, which is the most`);
    const starts_at = new Date(now).toISOString();
    const ends_at = new Date(end).toISOString();
    const silence: Silence = { id: newId(), rule, service, starts_at, ends_at, comment, created_by: actor };
    const insert = 'INSERT INTO silences (id, ends_at, record) VALUES (?, ?, ?)';
    this.#write(() => this.#options.database.prepare(insert).run(silence.id, end, JSON.stringify(silence)));
    this.#silences.set(silence.id, silence);
    this.#look();
    const why = comment === '' ? '' : `: ${comment}`;
    this.#record('silence.created', silence, `${describe(silence)} until ${ends_at}${why}`, actor);
    this.#options.onChange();
    return silence;
  }

  /** Ends one before its time. Throws `silence_not_found` and `storage_unavailable`. */
  end(id: string, actor: string): Silence {
    const silence = this.get(id);
    this.#write(() => this.#delete(id));
    this.#forget(silence, actor);
    this.#options.onChange();
    return silence;
  }

  /** Ends those whose time has come. */
  expire(): void {
    const now = this.#options.now();
    const over = this.all().filter(({ ends_at }) => Date.parse(ends_at) <= now);
    for (const silence of over) {
      try {
        this.#delete(silence.id);
      } catch (error) {
        // It is over all the same; the next agent removes it.
        this.#options.onProblem(`a silence that is over cannot be removed: ${errorMessage(error)}`);
      }
      this.#forget(silence, null);
    }
    if (over.length > 0) this.#options.onChange();
  }

  #forget(silence: Silence, actor: string | null): void {
    this.#silences.delete(silence.id);
    this.#look();
    this.#record('silence.ended', silence, `${describe(silence)} no more`, actor);
  }

  #delete(id: string): void {
    this.#options.database.prepare('DELETE FROM silences WHERE id = ?').run(id);
  }

  #look(): void {
    const ends = [...this.#silences.values()].map(({ ends_at }) => Date.parse(ends_at));
    this.#endsNext = Math.min(...ends);
    this.#known.clear();
  }

  #record(
    type: 'silence.created' | 'silence.ended',
    { service }: Silence,
    message: string,
    actor: string | null,
  ): void {
    const isOne = service !== null && !service.includes('*');
    this.#options.events.record({
      type,
      message,
      ...(isOne && { service }),
      ...(actor !== null && { actor }),
    });
  }

  #write(work: () => void): void {
    try {
      work();
    } catch (cause) {
      const message = `the silences cannot be written: ${errorMessage(cause)}`;
      throw new DavitError('storage_unavailable', message, { cause });
    }
  }

  #load(record: string): void {
    try {
      const known = validate(silence, JSON.parse(record), 'what was kept');
      this.#silences.set(known.id, known);
    } catch (error) {
      this.#options.onProblem(`a silence cannot be read and does not count: ${errorMessage(error)}`);
    }
  }
}

/** Whether a silence is about alerts of this rule and service; one for no service in particular is about those of the host, too. */
function covers(silence: Pick<Silence, 'rule' | 'service'>, rule: string, service: string | null): boolean {
  if (!matchesGlob(silence.rule, rule)) return false;
  return silence.service === null || (service !== null && matchesGlob(silence.service, service));
}

function endOf({ duration, ends_at }: Pick<NewSilence, 'duration' | 'ends_at'>, now: number): number {
  const end = duration === undefined ? Date.parse(ends_at ?? '') : now + milliseconds(duration);
  const field = duration === undefined ? 'ends_at' : 'duration';
  if (!(end > now)) throw new DavitError('invalid_request', `${field}: a silence must end later than now`);
  if (end - now > longest)
    throw new DavitError('invalid_request', `${field}: a silence may last for 366 days at most`);
  return end;
}

function describe({ rule, service }: Pick<Silence, 'rule' | 'service'>): string {
  const rules = rule === '*' ? 'Alerts' : `Alerts of ${rule}`;
  return `${rules}${service === null ? '' : ` on ${service}`} are silenced`;
}
