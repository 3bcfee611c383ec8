import type { Terminal } from './terminal.ts';

// A screen of its own without a cursor, on which lines that are too long are cut.
const enter = '\u001b[?1049h\u001b[?25l\u001b[?7l';
const leave = '\u001b[?7h\u001b[?25h\u001b[?1049l';
const toBegin = '\u001b[H';
const clearLine = '\u001b[K';
const clearBelow = '\u001b[J';

/** The shortest time between two pictures that nobody waits for, in milliseconds. */
const restTime = 100;

/**
 * The whole terminal, for pictures that follow each other. It is as it was before when this is disposed of, when the process
 * ends in any way that it can hear of, and while it is suspended (Ctrl-Z).
 */
export class Screen implements Disposable {
  readonly #terminal: Terminal;
  readonly #picture: () => readonly string[];
  readonly #onKey: (key: string) => void;
  #ends: (() => void)[] = [];
  #shown = '';
  #drawnAt = 0;
  #due: NodeJS.Timeout | undefined;

  /** @param picture the lines of the picture that is due, as many as fit */
  constructor(terminal: Terminal, picture: () => readonly string[], onKey: (key: string) => void) {
    this.#terminal = terminal;
    this.#picture = picture;
    this.#onKey = onKey;
    this.#begin();
  }

  /** Draws over what is there, without clearing it first, so that nothing flickers. */
  draw(): void {
    clearTimeout(this.#due);
    this.#due = undefined;
    this.#drawnAt = performance.now();
    const lines = this.#picture().map((line) => line + clearLine);
    const picture = toBegin + lines.join('\n') + clearBelow;
    if (picture === this.#shown) return;
    this.#shown = picture;
    this.#terminal.write(picture);
  }

  /** Draws once some time has passed since the last picture: however often it is called, there are ten a second. */
  drawSoon(): void {
    const wait = Math.max(0, this.#drawnAt + restTime - performance.now());
    this.#due ??= setTimeout(() => this.draw(), wait);
  }

  [Symbol.dispose](): void {
    this.#end();
  }

  #begin(): void {
    this.#shown = '';
    this.#terminal.write(enter);
    this.#ends = [
      this.#terminal.onKeys((key) => this.#take(key)),
      this.#terminal.onResize(() => this.#drawAnew()),
      on('exit', () => this.#end()),
      on('SIGTSTP', () => this.#suspend()),
      // Whoever was stopped by SIGSTOP left the terminal as it was, for others to write on.
      on('SIGCONT', () => this.#return(() => {})),
      ...(['SIGHUP', 'SIGQUIT'] as const).map((signal) => on(signal, () => this.#endBy(signal))),
    ];
  }

  #end(): void {
    clearTimeout(this.#due);
    this.#due = undefined;
    if (this.#ends.length === 0) return;
    for (const end of this.#ends.splice(0)) end();
    this.#terminal.write(leave);
  }

  /** Gives the terminal back for as long as `meanwhile` takes. */
  #return(meanwhile: () => void): void {
    this.#end();
    meanwhile();
    this.#begin();
    this.draw();
  }

  /** With nobody listening to it any more, the signal stops us right there, until the shell lets us go on. */
  #suspend(): void {
    this.#return(() => process.kill(process.pid, 'SIGTSTP'));
  }

  #endBy(signal: NodeJS.Signals): void {
    this.#end();
    process.kill(process.pid, signal);
  }

  #take(key: string): void {
    // As the terminal would do it: to whoever was started together with us, such as sudo, too.
    if (key === 'ctrl+z') process.kill(0, 'SIGTSTP');
    else if (key === 'ctrl+l') this.#drawAnew();
    else this.#onKey(key);
  }

  /** Also what is on the screen already, which may have been written over. */
  #drawAnew(): void {
    this.#shown = '';
    this.draw();
  }
}

function on(event: NodeJS.Signals | 'exit', listener: () => void): () => void {
  process.on(event, listener);
  return () => process.off(event, listener);
}
