import { createHmac, hash, randomBytes } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { ConsoleConfig } from '../config/console.ts';
import { durableTransaction } from '../lib/database.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { milliseconds } from '../lib/units.ts';
import type { ApiKeys } from './api_keys.ts';
import type { JwtVerifier } from './jwt.ts';
import type { Principal } from './permission.ts';

interface SessionsOptions {
  /** Holds the tables `sessions` and `session_cookie`. */
  readonly database: DatabaseSync;
  readonly keys: Pick<ApiKeys, 'principalOf'>;
  readonly tokens: Pick<JwtVerifier, 'markOf'>;
  readonly settings: () => ConsoleConfig;
  /** Sessions were ended before their time: what is open by principals that fit must end. */
  readonly onEnded: (fits: (principal: Principal) => boolean) => void;
  readonly onProblem: (message: string) => void;
  /** Milliseconds since 1970. Default: the system's clock. */
  readonly now?: () => number;
}

/** Somebody who is signed in. Times are milliseconds, since 1970 or long. */
export interface Session {
  readonly principal: Principal & { readonly session: string };
  readonly csrf_token: string;
  readonly created_at: number;
  readonly expires_at: number;
  readonly idle_timeout: number;
}

interface KeptSession {
  /** The hash of its secret. */
  readonly id: string;
  readonly actor: string;
  /** Of one by a token, which is not seen again: who it said, and the mark of its issuer then. null: by an API key. */
  readonly token: { readonly principal: Principal; readonly mark: string } | null;
  readonly created_at: number;
  readonly expires_at: number;
  last_seen_at: number;
}

/** How many there may be of one actor, and in all; the oldest go. */
const mostOfOne = 20;
const mostSessions = 1_000;
/** How often, in milliseconds, what has ended is removed, and it is written down when the others were last used. */
const lookInterval = 60_000;

/**
 * Who is signed in to the console. The secret of a session is given once and kept only as SHA-256: with 256 random bits,
 * nothing slower is needed. A session never may more than what it was made with: an API key is asked for anew each time, a
 * token counts until it expires or its issuer's settings are others.
 *
 * What is here counts, also while the disk is full: then nobody could sign in to make room. It is written as soon as it can be.
 *
 * What has ended lets nobody in any more. Streams that it opened go on until its absolute end, unless it was ended by hand
 * or for its credential: somebody may watch them for longer than they touch anything.
 */
export class Sessions {
  /** Stays the same for this agent, and tells its cookie from those of other agents on a host. */
  readonly cookieSuffix: string;
  readonly #options: SessionsOptions;
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;
  /** By id, oldest first. */
  readonly #sessions = new Map<string, KeptSession>();
  /** The ids of sessions of which something else stands in the database than here. */
  readonly #unwritten = new Set<string>();

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    const { database } = options;
    this.cookieSuffix = String(database.prepare('SELECT suffix FROM session_cookie').get()?.['suffix']);
    for (const row of database.prepare('SELECT * FROM sessions ORDER BY created_at').all()) {
      const session = fromRow(row);
      this.#sessions.set(session.id, session);
    }
    this.look();
    this.#timer = setInterval(() => this.look(), lookInterval).unref();
  }

  /** Begins a session for whoever has just proven who it is. Throws `not_supported` where there is no console. */
  begin(principal: Principal): { readonly secret: string; readonly session: Session } {
    const { lifetime } = this.#settings();
    const now = this.#now();
    const secret = randomBytes(32).toString('base64url');
    const mark = this.#options.tokens.markOf(principal.actor);
    const kept: KeptSession = {
      id: idOf(secret),
      actor: principal.actor,
      token: mark === null ? null : { principal, mark },
      created_at: now,
      expires_at: Math.min(now + milliseconds(lifetime), principal.expires_at ?? Number.POSITIVE_INFINITY),
      last_seen_at: now,
    };
    this.#end(this.#surplusBeside(kept.actor));
    this.#sessions.set(kept.id, kept);
    this.#unwritten.add(kept.id);
    this.#write();
    return { secret, session: this.#toSession(kept, principal, secret) };
  }

  /**
   * The session with this secret; null: there is none, or it has ended.
   * @param isUse whether somebody did something, which keeps it from ending for idleness.
   */
  find(secret: string, isUse: boolean): Session | null {
    const kept = this.#sessions.get(idOf(secret));
    const principal = kept === undefined ? null : this.#principalOf(kept);
    if (kept === undefined || principal === null) return null;
    if (isUse) {
      kept.last_seen_at = this.#now();
      this.#unwritten.add(kept.id);
    }
    return this.#toSession(kept, principal, secret);
  }

  /** Ends one, if there is such a one. */
  end(id: string): void {
    const session = this.#sessions.get(id);
    this.#end(session === undefined ? [] : [session]);
    this.#write();
  }

  /** Ends every session of an actor, and says how many of them had not ended yet. */
  endAll(actor: string): number {
    const own = [...this.#sessions.values()].filter((session) => session.actor === actor);
    const alive = own.filter((session) => this.#principalOf(session) !== null);
    this.#remove(own);
    // Also what was opened by sessions that have ended for idleness.
    this.#options.onEnded((principal) => principal.actor === actor && principal.session !== undefined);
    this.#write();
    return alive.length;
  }

  /** Takes over other settings, removes what has ended, and writes down what is not written yet. */
  look(): void {
    this.#remove([...this.#sessions.values()].filter((session) => this.#principalOf(session) === null));
    this.#write();
  }

  /** Writes down what is not written yet. */
  close(): void {
    clearInterval(this.#timer);
    this.look();
  }

  #settings(): Exclude<ConsoleConfig, false> {
    const settings = this.#options.settings();
    if (settings !== false) return settings;
    throw new DavitError('not_supported', 'this agent has no web console (console: false)');
  }

  /** Who it is of, as of now; null: it has ended. */
  #principalOf(session: KeptSession): Principal | null {
    const settings = this.#options.settings();
    if (settings === false) return null;
    const idleEnd = session.last_seen_at + milliseconds(settings.idle_timeout);
    if (Math.min(idleEnd, this.#endOf(session)) <= this.#now()) return null;
    const { actor, token } = session;
    if (token === null) return this.#options.keys.principalOf(actor);
    return token.mark === this.#options.tokens.markOf(actor) ? token.principal : null;
  }

  /** A lifetime that was made shorter since counts at once. */
  #endOf({ created_at, expires_at }: KeptSession): number {
    return Math.min(expires_at, created_at + milliseconds(this.#settings().lifetime));
  }

  #toSession(kept: KeptSession, principal: Principal, secret: string): Session {
    const expires_at = Math.min(this.#endOf(kept), principal.expires_at ?? Number.POSITIVE_INFINITY);
    return {
      principal: { ...principal, session: kept.id, expires_at },
      // Nobody gets from it to the secret, nor to it without the secret.
      csrf_token: createHmac('sha256', secret).update('csrf').digest('base64url'),
      created_at: kept.created_at,
      expires_at,
      idle_timeout: milliseconds(this.#settings().idle_timeout),
    };
  }

  /** What has to go before another can begin for this actor. */
  #surplusBeside(actor: string): KeptSession[] {
    const alive = [...this.#sessions.values()].filter((session) => this.#principalOf(session) !== null);
    const own = alive.filter((session) => session.actor === actor);
    const surplus = own.slice(0, Math.max(0, own.length - mostOfOne + 1));
    const others = alive.filter((session) => !surplus.includes(session));
    return [...surplus, ...others.slice(0, Math.max(0, others.length - mostSessions + 1))];
  }

  /** Ends sessions before their time, with their streams. */
  #end(sessions: readonly KeptSession[]): void {
    if (sessions.length === 0) return;
    this.#remove(sessions);
    const ids = new Set(sessions.map(({ id }) => id));
    this.#options.onEnded(({ session }) => session !== undefined && ids.has(session));
  }

  #remove(sessions: readonly KeptSession[]): void {
    for (const { id } of sessions) {
      this.#sessions.delete(id);
      this.#unwritten.add(id);
    }
  }

  /** What cannot be written is tried again with the next look. */
  #write(): void {
    if (this.#unwritten.size === 0) return;
    const { database, onProblem } = this.#options;
    try {
      durableTransaction(database, () => {
        const put = database.prepare('INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?, ?)');
        const remove = database.prepare('DELETE FROM sessions WHERE hash = ?');
        for (const id of this.#unwritten) {
          const session = this.#sessions.get(id);
          if (session === undefined) remove.run(Buffer.from(id, 'base64url'));
          else put.run(...toRow(session));
        }
      });
      this.#unwritten.clear();
    } catch (error) {
      onProblem(`who is signed in to the console cannot be written down: ${errorMessage(error)}`);
    }
  }
}

function toRow({ id, actor, token, created_at, last_seen_at, expires_at }: KeptSession) {
  const token_record = token && JSON.stringify(token);
  return [Buffer.from(id, 'base64url'), actor, token_record, created_at, last_seen_at, expires_at] as const;
}

function fromRow(row: Record<string, unknown>): KeptSession {
  return {
    id: Buffer.from(row['hash'] as Uint8Array).toString('base64url'),
    actor: String(row['actor']),
    token: row['token_record'] === null ? null : JSON.parse(String(row['token_record'])),
    created_at: Number(row['created_at']),
    expires_at: Number(row['expires_at']),
    last_seen_at: Number(row['last_seen_at']),
  };
}

function idOf(secret: string): string {
  return hash('sha256', secret, 'base64url');
}
