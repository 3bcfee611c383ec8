import { hash, randomBytes, randomInt, timingSafeEqual } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { ApiKey } from '../contract/keys.ts';
import { type Scope, scopes } from '../contract/scalars.ts';
import { durableTransaction } from '../lib/database.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import type { Principal } from './permission.ts';

interface ApiKeysOptions {
  /** Holds the table `api_keys`. */
  readonly database: DatabaseSync;
  /** A key was revoked: what is open with it must end. */
  readonly onRevoked: (principal: Principal) => void;
  readonly onProblem: (message: string) => void;
  /** Milliseconds since 1970. Default: the system's clock. */
  readonly now?: () => number;
}

export interface NewApiKey {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Ids in which `*` stands for any characters; null: every service. */
  readonly services: readonly string[] | null;
  /** Milliseconds since 1970; null: never. */
  readonly expires_at: number | null;
}

interface KeptKey {
  readonly id: string;
  readonly name: string;
  readonly hash: Uint8Array;
  readonly scopes: readonly Scope[];
  readonly services: readonly string[] | null;
  readonly created_at: number;
  readonly expires_at: number | null;
  readonly principal: Principal;
  last_used_at: number | null;
  revoked_at: number | null;
}

const keyPattern = /^davit_([a-z0-9]{10})_[A-Za-z0-9_-]{43}$/;
const idLetters = 'abcdefghijklmnopqrstuvwxyz0123456789';
/** What a secret with an unknown id is compared with, so that it takes as long as any other. */
const noHash = new Uint8Array(32);
/** How often, in milliseconds, it is written down when keys were last used. */
const useInterval = 60_000;

/** The API keys. Secrets are shown once and kept only as SHA-256: with 256 random bits, nothing slower is needed. */
export class ApiKeys {
  readonly #options: ApiKeysOptions;
  readonly #now: () => number;
  readonly #keys = new Map<string, KeptKey>();
  readonly #used = new Set<KeptKey>();
  #useTimer: NodeJS.Timeout | null = null;

  constructor(options: ApiKeysOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    for (const row of options.database.prepare('SELECT * FROM api_keys ORDER BY created_at').all()) {
      const key = fromRow(row);
      this.#keys.set(key.id, key);
    }
  }

  /**
   * Makes a key. The answer is the only place where its secret ever stands.
   * @param deliver gets the secret before the key is kept; when it throws, there is no key.
   */
  create(wanted: NewApiKey, deliver?: (secret: string) => void): ApiKey & { key: string } {
    const id = Array.from({ length: 10 }, () => idLetters[randomInt(idLetters.length)]).join('');
    const secret = `davit_${id}_${randomBytes(32).toString('base64url')}`;
    const key: KeptKey = {
      ...wanted,
      id,
      scopes: scopes.filter((scope) => wanted.scopes.includes(scope)),
      hash: hash('sha256', secret, 'buffer'),
      created_at: this.#now(),
      last_used_at: null,
      revoked_at: null,
      principal: toPrincipal(id, wanted),
    };
    deliver?.(secret);
    const { name, created_at, expires_at } = key;
    const services = key.services && JSON.stringify(key.services);
    const values = [id, name, key.hash, JSON.stringify(key.scopes), services, created_at, expires_at];
    this.#write('INSERT INTO api_keys VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL)', values);
    this.#keys.set(id, key);
    return { ...toAnswer(key), key: secret };
  }

  /** Every key that was ever made, oldest first, without its secret. */
  list(): ApiKey[] {
    return [...this.#keys.values()].map(toAnswer);
  }

  /**
   * Ends a key for good; one that is revoked already stays as it is. Throws `key_not_found`, and `state_conflict` for
   * the last key that may do everything: whoever asks, the agent would be left without its keyholder.
   */
  revoke(id: string): ApiKey {
    const key = this.#keys.get(id);
    if (key === undefined) throw new DavitError('key_not_found', `there is no key "${id}"`);
    if (key.revoked_at !== null) return toAnswer(key);
    if (this.#isAdmin(key) && !this.#hasAdminBeside(key)) {
      throw new DavitError(
        'state_conflict',
        `"${id}" is the last valid admin key; make another one before you revoke it`,
      );
    }
    const revokedAt = this.#now();
    this.#write('UPDATE api_keys SET revoked_at = ? WHERE id = ?', [revokedAt, id]);
    key.revoked_at = revokedAt;
    this.#options.onRevoked(key.principal);
    return toAnswer(key);
  }

  /** Who this secret belongs to; null: to nobody, or the key is expired or revoked. Takes the same time for any wrong secret. */
  verify(secret: string): Principal | null {
    const id = keyPattern.exec(secret)?.[1];
    if (id === undefined) return null;
    const key = this.#keys.get(id);
    const isRight = timingSafeEqual(hash('sha256', secret, 'buffer'), key?.hash ?? noHash);
    if (!isRight || key === undefined || !this.#isValid(key)) return null;
    this.#noteUse(key);
    return key.principal;
  }

  /** Who the actor of a key is now; null: it is no key, or one that is expired or revoked. */
  principalOf(actor: string): Principal | null {
    const key = actor.startsWith('key:') ? this.#keys.get(actor.slice(4)) : undefined;
    return key !== undefined && this.#isValid(key) ? key.principal : null;
  }

  /** Whether there is a valid key that may do everything. */
  hasAdmin(): boolean {
    return this.#hasAdminBeside(null);
  }

  /** Writes down what is not written yet. */
  close(): void {
    if (this.#useTimer) clearTimeout(this.#useTimer);
    this.#writeUses();
  }

  #isValid({ revoked_at, expires_at }: KeptKey): boolean {
    return revoked_at === null && (expires_at === null || expires_at > this.#now());
  }

  #isAdmin(key: KeptKey): boolean {
    return this.#isValid(key) && key.services === null && key.scopes.includes('admin');
  }

  #hasAdminBeside(excepted: KeptKey | null): boolean {
    return this.#keys.values().some((key) => key !== excepted && this.#isAdmin(key));
  }

  #noteUse(key: KeptKey): void {
    key.last_used_at = this.#now();
    this.#used.add(key);
    this.#useTimer ??= setTimeout(() => this.#writeUses(), useInterval).unref();
  }

  #writeUses(): void {
    this.#useTimer = null;
    if (this.#used.size === 0) return;
    const { database, onProblem } = this.#options;
    try {
      durableTransaction(database, () => {
        const update = database.prepare('UPDATE api_keys SET last_used_at = ? WHERE id = ?');
        for (const key of this.#used) update.run(key.last_used_at, key.id);
      });
      this.#used.clear();
    } catch (error) {
      onProblem(`the last use of API keys cannot be written down: ${errorMessage(error)}`);
    }
  }

  #write(sql: string, values: (string | number | Uint8Array | null)[]): void {
    const { database } = this.#options;
    try {
      durableTransaction(database, () => void database.prepare(sql).run(...values));
    } catch (cause) {
      throw new DavitError('storage_unavailable', `the key cannot be stored: ${errorMessage(cause)}`, {
        cause,
      });
    }
  }
}

function fromRow(row: Record<string, unknown>): KeptKey {
  const services = row['services'] === null ? null : JSON.parse(String(row['services']));
  const kept = { ...(row as unknown as KeptKey), services, scopes: JSON.parse(String(row['scopes'])) };
  return { ...kept, principal: toPrincipal(kept.id, kept) };
}

function toPrincipal(id: string, { name, scopes: held, services, expires_at }: NewApiKey): Principal {
  const greatest = scopes.findLast((scope) => held.includes(scope)) ?? scopes[0];
  return { actor: `key:${id}`, name, grants: [{ scope: greatest, services }], expires_at };
}

function toAnswer(key: KeptKey): ApiKey {
  const time = (at: number | null) => (at === null ? null : new Date(at).toISOString());
  return {
    id: key.id,
    name: key.name,
    scopes: [...key.scopes],
    services: key.services && [...key.services],
    created_at: new Date(key.created_at).toISOString(),
    expires_at: time(key.expires_at),
    last_used_at: time(key.last_used_at),
    revoked_at: time(key.revoked_at),
  };
}
