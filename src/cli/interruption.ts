import { DavitError } from '../lib/errors.ts';
import { exitCode } from './exit_codes.ts';
import type { Streams } from './terminal.ts';

/** Aborts when the user interrupts (Ctrl-C), when we are told to end, or when nobody reads the output any more. */
export class Interruption implements Disposable {
  readonly #controller = new AbortController();
  // Each is heard once: a second Ctrl-C ends the process at once.
  readonly #onInterrupt = () => this.#abort('interrupted', exitCode.interrupted);
  readonly #onTerminate = () => this.#abort('interrupted', exitCode.terminated);

  constructor({ out, err }: Streams) {
    process.once('SIGINT', this.#onInterrupt).once('SIGTERM', this.#onTerminate);
    // Never taken off: what is written last may fail to be read after everything else has ended.
    for (const stream of [out, err]) {
      stream.on('error', () => this.#abort('reader_gone', exitCode.readerGone));
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    process.off('SIGINT', this.#onInterrupt).off('SIGTERM', this.#onTerminate);
  }

  #abort(code: string, exit_code: number): void {
    this.#controller.abort(new DavitError(code, '', { fields: { exit_code } }));
  }
}
