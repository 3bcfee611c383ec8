import { isIPv4 } from 'node:net';

/** How many connections may be open. */
export interface ConnectionLimits {
  readonly connections: number;
  readonly connections_per_address: number;
}

/** Counts the connections that are open, in all and of each address, and lets in no more than may be. */
export class Admission {
  limits: ConnectionLimits = { connections: 0, connections_per_address: 0 };
  readonly #of_network = new Map<string, number>();
  #open = 0;
  #refused = 0;

  get open(): number {
    return this.#open;
  }

  /** How many were not let in since it began. */
  get refused(): number {
    return this.#refused;
  }

  /** A place for a connection, whoever it comes from. Returns what gives it back; null: there is none. */
  enter(): (() => void) | null {
    if (this.#open >= this.limits.connections) {
      this.#refused += 1;
      return null;
    }
    this.#open += 1;
    return () => {
      this.#open -= 1;
    };
  }

  /** A place for one of this address, or of its /64 of IPv6, which is what one customer has. null: there is none. */
  enterFrom(address: string): (() => void) | null {
    const network = networkOf(address);
    const count = this.#of_network.get(network) ?? 0;
    if (count >= this.limits.connections_per_address) {
      this.#refused += 1;
      return null;
    }
    this.#of_network.set(network, count + 1);
    return () => this.#leave(network);
  }

  #leave(network: string): void {
    const left = (this.#of_network.get(network) ?? 1) - 1;
    if (left === 0) this.#of_network.delete(network);
    else this.#of_network.set(network, left);
  }
}

/** @param address canonical */
export function networkOf(address: string): string {
  if (isIPv4(address) || !address.includes(':')) return address;
  const [head = '', tail] = address.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...Array.from({ length: zeros }, () => '0'), ...right];
  return `${groups.slice(0, 4).join(':')}::/64`;
}
