/** What became of the numbered lines of one writer. */
export interface NumberResult {
  /** How many lines the writer says that it has written; null when its last line is missing. */
  readonly written: number | null;
  readonly lost: number;
  readonly doubled: number;
  /** Lines that are not as they were written. */
  readonly damaged: number;
  /** The rate that the writer reached, in lines per second. */
  readonly rate: number;
}

/** Reads the lines of `numbered.pl` in the order in which they were found, and notes what is missing or there twice. */
export class NumberCheck {
  readonly #name: string;
  #next = 1;
  #lost = 0;
  #doubled = 0;
  #damaged = 0;
  #written: number | null = null;
  #rate = 0;

  constructor(name: string) {
    this.#name = name;
  }

  /** Whether any line has been read. */
  get hasBegun(): boolean {
    return this.#next > 1;
  }

  /** Whether the writer's last line has been read. */
  get hasEnded(): boolean {
    return this.#written !== null;
  }

  read(line: string): void {
    const [name, word = '', rest = '', rate] = line.split(' ');
    const isLast = word === 'end';
    const number = Number(isLast ? rest : word);
    if (name !== this.#name || !Number.isInteger(number) || (!isLast && rest !== '...............')) {
      this.#damaged += 1;
    } else if (isLast) {
      this.#written = number;
      this.#rate = Number(rate);
    } else this.#count(number);
  }

  result(): NumberResult {
    const missing = this.#written === null ? 0 : Math.max(0, this.#written + 1 - this.#next);
    return {
      written: this.#written,
      lost: this.#lost + missing,
      doubled: this.#doubled,
      damaged: this.#damaged,
      rate: this.#rate,
    };
  }

  #count(number: number): void {
    if (number < this.#next) {
      this.#doubled += 1;
      return;
    }
    this.#lost += number - this.#next;
    this.#next = number + 1;
  }
}

/** The sums of several writers. A writer whose last line is missing has lost it. */
export function sumUp(results: readonly NumberResult[]): NumberResult & { readonly written: number } {
  const sum = (of: (result: NumberResult) => number) =>
    results.reduce((total, result) => total + of(result), 0);
  return {
    written: sum(({ written }) => written ?? 0),
    lost: sum(({ lost, written }) => lost + (written === null ? 1 : 0)),
    doubled: sum(({ doubled }) => doubled),
    damaged: sum(({ damaged }) => damaged),
    rate: sum(({ rate }) => rate),
  };
}
