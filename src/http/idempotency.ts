import { createHash } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { DavitError, errorMessage } from '../lib/errors.ts';

/** The answer to a call: kept, and given again. */
export interface KeptAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** One call that carries an Idempotency-Key. */
export interface IdempotentCall {
  readonly actor: string;
  readonly key: string;
  /** Of all that makes two calls the same. */
  readonly fingerprint: string;
  /** The answer holds a secret: it is kept in memory only. */
  readonly secret: boolean;
}

interface Entry {
  readonly fingerprint: string;
  readonly answer: Promise<KeptAnswer>;
}

/** How long an answer is given again, in milliseconds. */
const keptFor = 24 * 3_600_000;
/** How many answers are kept; the oldest go first. */
const keptAnswers = 10_000;

/** Makes a call that is sent twice act once (the Idempotency-Key header, draft-ietf-httpapi-idempotency-key-header). */
export class IdempotentAnswers {
  readonly #database: DatabaseSync;
  readonly #onProblem: (message: string) => void;
  /** Calls that are running, and those whose answers must not be written down. */
  readonly #entries = new Map<string, Entry>();

  constructor(database: DatabaseSync, onProblem: (message: string) => void) {
    this.#database = database;
    this.#onProblem = onProblem;
  }

  /**
   * Runs `work`, or gives the answer of the first call with the same key, waiting for it if it is still running.
   * Throws `idempotency_conflict` when the key came with another request. An answer of 5xx is not kept.
   */
  async once(
    call: IdempotentCall,
    work: () => Promise<KeptAnswer>,
  ): Promise<KeptAnswer & { replayed: boolean }> {
    const earlier = await this.#find(call);
    if (earlier) return { ...earlier, replayed: true };
    const name = nameOf(call);
    const answer = work();
    this.#entries.set(name, { fingerprint: call.fingerprint, answer });
    let keep = false;
    try {
      const given = await answer;
      keep = call.secret && given.status < 500;
      if (!call.secret && given.status < 500) this.#write(call, given);
      return { ...given, replayed: false };
    } finally {
      if (keep) this.#forgetLater(name);
      else this.#entries.delete(name);
    }
  }

  #find(call: IdempotentCall): Promise<KeptAnswer> | KeptAnswer | null {
    const running = this.#entries.get(nameOf(call));
    if (running) {
      refuseOther(call, running.fingerprint);
      return running.answer;
    }
    const row = this.#database
      .prepare('SELECT * FROM idempotent_answers WHERE actor = ? AND key = ? AND created_at > ?')
      .get(call.actor, call.key, Date.now() - keptFor);
    if (!row) return null;
    refuseOther(call, String(row['fingerprint']));
    return { status: Number(row['http_status']), body: JSON.parse(String(row['body'])) };
  }

  #write({ actor, key, fingerprint }: IdempotentCall, { status, body }: KeptAnswer): void {
    try {
      this.#database
        .prepare('INSERT OR REPLACE INTO idempotent_answers VALUES (?, ?, ?, ?, ?, ?)')
        .run(actor, key, fingerprint, status, JSON.stringify(body), Date.now());
      this.#database
        .prepare(
          `DELETE FROM idempotent_answers WHERE created_at < ? OR rowid IN
           (SELECT rowid FROM idempotent_answers ORDER BY created_at DESC LIMIT -1 OFFSET ?)`,
        )
        .run(Date.now() - keptFor, keptAnswers);
    } catch (error) {
      this.#onProblem(`the answer to an Idempotency-Key cannot be kept: ${errorMessage(error)}`);
    }
  }

  #forgetLater(name: string): void {
    setTimeout(() => this.#entries.delete(name), keptFor).unref();
  }
}

/** The fingerprint of a request: verb, path and body as it was understood. */
export function fingerprint(verb: string, path: string, body: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify([verb, path, body ?? null]))
    .digest('base64url');
}

function nameOf({ actor, key }: IdempotentCall): string {
  return `${actor}\n${key}`;
}

function refuseOther(call: IdempotentCall, first: string): void {
  if (call.fingerprint === first) return;
  throw new DavitError(
    'idempotency_conflict',
    'this Idempotency-Key was used with another request; use a new one',
  );
}
