import type { Terminal } from './terminal.ts';

// A screen of its own without a cursor, on which lines that are too long are cut.
const enter = '\u001b[?1049h\u001b[?25l\u001b[?7l';
const leave = '\u001b[?7h\u001b[?25h\u001b[?1049l';
const toBegin = '\u001b[H';
const clearLine = '\u001b[K';
const clearBelow = '\u001b[J';

/** The whole terminal, for pictures that follow each other; it is as it was before when this is disposed of. */
export class Screen implements Disposable {
  readonly #terminal: Terminal;
  readonly #picture: () => readonly string[];
  readonly #quit = new AbortController();
  readonly #ends: (() => void)[];

  /** @param picture the lines of the picture that is due, as many as fit */
  constructor(terminal: Terminal, picture: () => readonly string[]) {
    this.#terminal = terminal;
    this.#picture = picture;
    terminal.write(enter);
    this.#ends = [terminal.onResize(() => this.draw()), terminal.onKeys((keys) => this.#take(keys))];
  }

  /** Aborted by the key q. */
  get quit(): AbortSignal {
    return this.#quit.signal;
  }

  /** Draws over what is there, without clearing it first, so that nothing flickers. */
  draw(): void {
    const lines = this.#picture().map((line) => line + clearLine);
    this.#terminal.write(toBegin + lines.join('\n') + clearBelow);
  }

  [Symbol.dispose](): void {
    for (const end of this.#ends) end();
    this.#terminal.write(leave);
  }

  #take(keys: string): void {
    if (keys.includes('q') || keys.includes('Q')) this.#quit.abort();
  }
}
