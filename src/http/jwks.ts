import { KeyObject, type webcrypto } from 'node:crypto';
import { createLocalJWKSet, errors, type JWTHeaderParameters } from 'jose';
import { errorMessage } from '../lib/errors.ts';

interface JwksOptions {
  readonly url: string;
  readonly onProblem: (message: string) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** How old keys may become before they are fetched again, in milliseconds. */
const freshFor = 10 * 60_000;
/** How long keys serve while they cannot be fetched again, in milliseconds. */
const usableFor = 24 * 3_600_000;
/** The least time between two fetches, whatever keys tokens name, in milliseconds. */
const cooldown = 10_000;
/** How long the address may take, in milliseconds. */
const timeout = 5_000;
/** The largest answer that is read, in bytes. */
const greatestAnswer = 262_144;

/**
 * An issuer's public keys behind a JWKS address: fetched at the first use, again when they are old, and when a token
 * names an unknown one. While the address does not answer, what was fetched before goes on serving for a day.
 */
export class Jwks {
  readonly #options: JwksOptions;
  readonly #keyObjects = new WeakMap<webcrypto.CryptoKey, KeyObject>();
  #set: ReturnType<typeof createLocalJWKSet> | null = null;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #triedAt = Number.NEGATIVE_INFINITY;
  #pending: Promise<boolean> | null = null;
  #isOutdated = false;

  constructor(options: JwksOptions) {
    this.#options = options;
  }

  /** The one key that fits the header of a token. Throws when there is none. */
  async find(header: JWTHeaderParameters): Promise<KeyObject> {
    if (this.#isOutdated || this.#age() > freshFor) await this.#refresh();
    if (this.#set === null || this.#age() > usableFor) throw new Error('the keys cannot be fetched');
    try {
      return this.#toKeyObject(await this.#set(header));
    } catch (error) {
      // Perhaps the issuer has changed its keys.
      if (!(error instanceof errors.JWKSNoMatchingKey) || !(await this.#refresh())) throw error;
      return this.#toKeyObject(await this.#set(header));
    }
  }

  /** Makes the next use fetch the keys again. */
  outdate(): void {
    this.#isOutdated = true;
  }

  #age(): number {
    return this.#options.now() - this.#fetchedAt;
  }

  /** Fetches the keys unless that was tried a moment ago; resolves with whether there are newer ones now. */
  #refresh(): Promise<boolean> {
    if (this.#pending) return this.#pending;
    if (this.#options.now() - this.#triedAt < cooldown) return Promise.resolve(false);
    this.#triedAt = this.#options.now();
    this.#pending = this.#fetch().finally(() => {
      this.#pending = null;
    });
    return this.#pending;
  }

  async #fetch(): Promise<boolean> {
    const { url, onProblem, now } = this.#options;
    try {
      this.#set = createLocalJWKSet(JSON.parse(await fetchText(url)));
      this.#fetchedAt = now();
      this.#isOutdated = false;
      return true;
    } catch (error) {
      const cause = error instanceof Error && error.cause ? `: ${errorMessage(error.cause)}` : '';
      onProblem(`jwks_url ${url}: the keys cannot be fetched: ${errorMessage(error)}${cause}`);
      return false;
    }
  }

  #toKeyObject(key: webcrypto.CryptoKey): KeyObject {
    const known = this.#keyObjects.get(key) ?? KeyObject.from(key);
    this.#keyObjects.set(key, known);
    return known;
  }
}

/** The body behind an address, which must answer itself: a redirect is an error. */
async function fetchText(url: string): Promise<string> {
  const response = await fetch(url, {
    redirect: 'error',
    headers: { accept: 'application/jwk-set+json, application/json' },
    signal: AbortSignal.timeout(timeout),
  });
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    if (size > greatestAnswer) throw new Error(`the answer is larger than ${greatestAnswer} bytes`);
    chunks.push(chunk);
  }
  if (response.status !== 200) throw new Error(`the answer is ${response.status}, not 200`);
  return Buffer.concat(chunks).toString('utf8');
}
