import type { RouterFacts } from './peer.ts';

/** What the routers of one place did: those that were its instance one after another, taken together. */
export interface RouterCount {
  /** Open now. */
  connections: number;
  /** Connections that were let in. */
  connections_total: number;
  /** Requests that no rule fits, or for which there was no instance. */
  unroutable: number;
  /** Connections and requests beyond a limit. */
  refused: number;
}

type Told = Pick<RouterFacts, keyof RouterCount>;
const totals = ['connections_total', 'unroutable', 'refused'] as const;

/** Of how many routers that are gone it is kept what they told, should one come back. */
const keptRouters = 64;

interface Known {
  readonly number: number | null;
  told: Told;
  isConnected: boolean;
}

/** What the routers tell of themselves, summed up so that nothing falls when one is replaced by another. */
export class RouterCounts {
  /** By the names of the routers. */
  readonly #known = new Map<string, Known>();
  /** Sums, by the number of the instance that a router is; null: of none. */
  readonly #sums = new Map<number | null, RouterCount>();

  take(router: string, number: number | null, told: Told): void {
    const known = this.#known.get(router);
    const sum = this.#sums.get(known?.number ?? number) ?? nothing();
    this.#sums.set(known?.number ?? number, sum);
    // A router tells totals since it began.
    for (const name of totals) sum[name] += Math.max(0, told[name] - (known?.told[name] ?? 0));
    this.#known.set(router, { number: known?.number ?? number, told, isConnected: true });
  }

  /** What it had open is open no more. */
  gone(router: string): void {
    const known = this.#known.get(router);
    if (known === undefined) return;
    known.isConnected = false;
    // As the one that went last.
    this.#known.delete(router);
    this.#known.set(router, known);
    const gone = [...this.#known].filter(([, { isConnected }]) => !isConnected);
    for (const [name] of gone.slice(0, -keptRouters)) this.#known.delete(name);
  }

  /** By the number of the instance that a router is; null: of none. */
  all(): ReadonlyMap<number | null, Readonly<RouterCount>> {
    for (const sum of this.#sums.values()) sum.connections = 0;
    for (const { number, told, isConnected } of this.#known.values()) {
      const sum = this.#sums.get(number);
      if (sum !== undefined && isConnected) sum.connections += told.connections;
    }
    return this.#sums;
  }
}

function nothing(): RouterCount {
  return { connections: 0, connections_total: 0, unroutable: 0, refused: 0 };
}
