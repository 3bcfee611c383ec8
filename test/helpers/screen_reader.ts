import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readlinkSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import { until } from './system.ts';

const toBegin = '\u001b[H';

/** Somebody who looks at what a program draws on a terminal, and types. */
export class ScreenReader implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown[]>;
  /** All that was written so far. */
  output = '';

  /** @param line what a shell on that terminal, which has 80 columns and 24 rows, runs */
  constructor(line: string, env: NodeJS.ProcessEnv) {
    this.#child = spawn('script', ['-qec', `stty cols 80 rows 24; ${line}`, '/dev/null'], {
      env: { TERM: 'xterm-256color', ...env },
    });
    this.#ended = once(this.#child, 'close');
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
  }

  /** What was drawn last, without colours. */
  get picture(): string {
    return stripVTControlCharacters(this.output.split(toBegin).at(-1) ?? '').replaceAll('\r', '');
  }

  /** How many pictures there were so far. */
  get pictures(): number {
    return this.output.split(toBegin).length - 1;
  }

  /** Resolves when what is drawn is like that. */
  async sees(fits: RegExp): Promise<void> {
    try {
      await until(`${fits} is seen`, () => fits.test(this.picture));
    } catch (cause) {
      throw new Error(`${fits} is not seen in\n${this.picture}`, { cause });
    }
  }

  type(keys: string): void {
    this.#child.stdin?.write(keys);
  }

  /** The process that the shell became. */
  get pid(): number {
    const { pid } = this.#child;
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
  }

  /** The terminal that the process is on. */
  get terminal(): string {
    return readlinkSync(`/proc/${this.pid}/fd/1`);
  }

  /** The exit code, once it has ended. */
  async ended(): Promise<number | null> {
    const [code] = await this.#ended;
    return code as number | null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}
