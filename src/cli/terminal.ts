import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { styleText } from 'node:util';
import { listenToKeys } from './keyboard.ts';
import { jsonText, logText } from './text.ts';

/** What a command reads and writes: the process's own streams, or others in their place. */
export interface Streams {
  readonly input: NodeJS.ReadableStream & {
    readonly isTTY?: boolean;
    setRawMode?(isRaw: boolean): unknown;
  };
  readonly out: NodeJS.WritableStream & {
    readonly writableNeedDrain?: boolean;
    readonly isTTY?: boolean;
    readonly columns?: number;
    readonly rows?: number;
  };
  readonly err: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

export type Environment = Readonly<Record<string, string | undefined>>;
type Style = Parameters<typeof styleText>[0];

/** What texts are made for: how wide it is, and what it can show. */
export type Canvas = Pick<Terminal, 'columns' | 'isTerminal' | 'style' | 'logLine'>;

/** Where results go (standard output) and what is said about them (standard error). */
export class Terminal {
  /** Whether standard output is a terminal: colours and cut columns are for people only. */
  readonly isTerminal: boolean;
  /** Whether a question can be asked. */
  readonly canAsk: boolean;
  /** Whether what was shown can be replaced. */
  readonly canRedraw: boolean;
  readonly hasColours: boolean;
  readonly #streams: Streams;
  readonly #isDumb: boolean;

  constructor(streams: Streams, environment: Environment) {
    this.#streams = streams;
    this.isTerminal = streams.out.isTTY === true;
    this.canAsk = streams.input.isTTY === true && streams.err.isTTY === true;
    this.#isDumb = environment['TERM'] === 'dumb';
    this.canRedraw = this.isTerminal && !this.#isDumb;
    this.hasColours = this.canRedraw && !environment['NO_COLOR'];
  }

  /** How many columns a line may have; what is not read on a terminal is never cut. */
  get columns(): number {
    return this.isTerminal ? (this.#streams.out.columns ?? 80) : Number.POSITIVE_INFINITY;
  }

  /** How many lines are in sight. */
  get rows(): number {
    return this.#streams.out.rows || 24;
  }

  /** Calls `listener` whenever there is more or less room, until the returned function is called. */
  onResize(listener: () => void): () => void {
    const { out } = this.#streams;
    out.on('resize', listener);
    return () => out.off('resize', listener);
  }

  /** Calls `listener` with the name of each key, as it is typed, until the returned function is called. Ctrl-C stays what it is. */
  onKeys(listener: (key: string) => void): () => void {
    const { input } = this.#streams;
    if (input.isTTY !== true) return () => {};
    input.setRawMode?.(true);
    const end = listenToKeys(input, (key) => {
      // As it is typed, Ctrl-C is taken off the terminal before it becomes a signal.
      if (key === 'ctrl+c') process.kill(process.pid, 'SIGINT');
      else listener(key);
    });
    return () => {
      end();
      input.setRawMode?.(false);
    };
  }

  /** As much of a text as stays in sight. */
  cutToHeight(text: string): string {
    const { rows } = this;
    const lines = text.split('\n');
    if (lines.length < rows) return text;
    return [...lines.slice(0, rows - 2), `… and ${lines.length - rows + 2} more lines`].join('\n');
  }

  /** Writes a line of the result. */
  print(line: string): void {
    this.#streams.out.write(`${line}\n`);
  }

  /** Writes to the result as it stands. */
  write(text: string): void {
    this.#streams.out.write(text);
  }

  /** Resolves when what was written has been taken, so that a slow reader slows us down instead of filling memory. */
  async drained(signal: AbortSignal): Promise<void> {
    if (this.#streams.out.writableNeedDrain) await once(this.#streams.out, 'drain', { signal });
  }

  /** Writes a line about the result. */
  note(line: string): void {
    this.#streams.err.write(`${line}\n`);
  }

  /** Shows how far something has come, in place of what was shown before; null: no more. Only for people who look. */
  progress(line: string | null): void {
    if (this.#streams.err.isTTY !== true || this.#isDumb) return;
    this.#streams.err.write(`\r\u001b[K${line ?? ''}`);
  }

  /** Writes the result as one JSON document. */
  json(value: unknown): void {
    this.print(jsonText(value, 2));
  }

  /** Writes one JSON document of a stream of them, on a line of its own. */
  jsonLine(value: unknown): void {
    this.print(jsonText(value, 0));
  }

  /** Colours text, where there are colours. */
  style(style: Style, text: string): string {
    return this.hasColours ? styleText(style, text, { validateStream: false }) : text;
  }

  /** A line that a service wrote: as it stands in a file or a pipe, and made harmless on a terminal. */
  logLine(line: string): string {
    return this.isTerminal ? logText(line, this.hasColours) : line;
  }

  /** Asks a question that is answered with yes or no; everything else than yes is no. */
  async confirm(question: string, signal: AbortSignal): Promise<boolean> {
    const lines = createInterface({ input: this.#streams.input, output: this.#streams.err });
    // The interface takes Ctrl-C off the terminal before it becomes a signal.
    lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
    // Without it, the end of the input (Ctrl-D) would leave the question open for ever.
    const ended = once(lines, 'close').then(() => '');
    try {
      const answer = await Promise.race([lines.question(`${question} [y/N] `, { signal }), ended]);
      return /^y(es)?$/i.test(answer.trim());
    } finally {
      lines.close();
    }
  }

  /** Everything that stands on standard input. */
  async readInput(): Promise<string> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.#streams.input) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks).toString('utf8');
  }
}
