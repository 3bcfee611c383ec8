import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { RequestFacts } from './facts.ts';

interface Known {
  readonly id: string;
  readonly signature: Buffer;
}

/**
 * The cookies that keep clients with instances of one service: the hash of the id of the instance and a signature, so that nobody
 * chooses an instance for others or tries them out, and nothing about them is told.
 */
export class AffinityCookies {
  readonly #key: Buffer;
  readonly #service: string;
  readonly #name: string;
  readonly #values = new Map<string, string>();
  readonly #known = new Map<string, Known>();

  /** @param key as hexadecimal digits */
  constructor(key: string, service: string, name: string) {
    this.#key = Buffer.from(key, 'hex');
    this.#service = service;
    this.#name = name;
  }

  /** The cookies of these instances are good, and no others. */
  keep(ids: readonly string[]): void {
    const wanted = new Set(ids);
    for (const [hash, { id }] of this.#known)
      if (!wanted.has(id)) {
        this.#known.delete(hash);
        this.#values.delete(id);
      }
    for (const id of ids) if (!this.#values.has(id)) this.#learn(id);
  }

  /** The id of the instance of which the request has a good cookie; null: it has none. */
  instanceOf(facts: RequestFacts): string | null {
    for (const value of facts.cookies(this.#name)) {
      const id = this.#read(value);
      if (id !== null) return id;
    }
    return null;
  }

  /** The header `Set-Cookie` that keeps a client with an instance; null: that instance is unknown. */
  headerFor(id: string, is_tls: boolean): string | null {
    const value = this.#values.get(id);
    if (value === undefined) return null;
    return `${this.#name}=${value}; Path=/; HttpOnly; SameSite=Lax${is_tls ? '; Secure' : ''}`;
  }

  #read(value: string): string | null {
    const end = value.indexOf('.');
    if (end === -1) return null;
    const known = this.#known.get(value.slice(0, end));
    if (known === undefined) return null;
    const signature = Buffer.from(value.slice(end + 1));
    return signature.length === known.signature.length && timingSafeEqual(signature, known.signature)
      ? known.id
      : null;
  }

  #learn(id: string): void {
    const hash = createHash('sha256').update(id).digest('hex').slice(0, 16);
    const mac = createHmac('sha256', this.#key).update(`davit affinity\n${this.#service}\n${hash}`).digest();
    const signature = mac.subarray(0, 16).toString('base64url');
    this.#known.set(hash, { id, signature: Buffer.from(signature) });
    this.#values.set(id, `${hash}.${signature}`);
  }
}
