import { networkMatcher } from '../lib/addresses.ts';

/** The proxies before this router, whose word on where a request comes from counts. One for all who ask. */
export class TrustedProxies {
  #networks: readonly string[] = [];
  #matches = networkMatcher([]);

  /** By a canonical address. Bound, so that it can be given on as a function. */
  readonly includes = (address: string): boolean => this.#networks.length > 0 && this.#matches(address);

  /** Throws RangeError on what is no network, and stays as it was. */
  apply(networks: readonly string[]): void {
    this.#matches = networkMatcher(networks);
    this.#networks = networks;
  }
}
