/** The golden ratio: any number of its multiples divide a circle so that no gap is more than 2.7 times another. */
const ratio = (Math.sqrt(5) - 1) / 2;

/** Which turn each probe has among those of the same interval, so that they are spread evenly over it. */
export class Phases {
  /** By interval: whether each number is taken. */
  readonly #taken = new Map<number, boolean[]>();

  /** Takes the lowest free number. Returns the phase, in milliseconds from 0 to the interval, and what gives it back. */
  take(interval: number): { readonly phase: number; readonly release: () => void } {
    const taken = this.#taken.get(interval) ?? [];
    this.#taken.set(interval, taken);
    const free = taken.indexOf(false);
    const number = free === -1 ? taken.length : free;
    taken[number] = true;
    const release = () => {
      taken[number] = false;
      if (!taken.includes(true)) this.#taken.delete(interval);
    };
    return { phase: ((number * ratio) % 1) * interval, release };
  }
}
