/** So many clients are remembered at least, and twice as many at most. */
const generationSize = 20_000;

/**
 * Which instance a client was sent to that sends no cookie of ours, so that it stays there when others are added. Bounded: clients
 * that have not been seen for long are forgotten, and go where their hash leads.
 */
export class AffinityMemory {
  readonly #size: number;
  #young = new Map<number, string>();
  #old = new Map<number, string>();

  constructor(size = generationSize) {
    this.#size = size;
  }

  /** The id of the instance; null: this client is unknown. @param key a hash of what the client is known by */
  instanceOf(key: number): string | null {
    const id = this.#young.get(key);
    if (id !== undefined) return id;
    const older = this.#old.get(key);
    if (older !== undefined) this.remember(key, older);
    return older ?? null;
  }

  remember(key: number, id: string): void {
    if (this.#young.size >= this.#size && !this.#young.has(key)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, id);
  }
}
