import { Readable } from 'node:stream';

interface RequestBodyOptions {
  /** The bytes as they come from the client. */
  readonly source: Readable;
  /** What the request says of its length; null: nothing. */
  readonly length: number | null;
  /** In bytes; null: any. */
  readonly limit: number | null;
  /** How long the client may take until the next part of it comes, in milliseconds. */
  readonly timeout: number;
  /** Called before the first byte of it is read: the client may be waiting for that. */
  readonly onBegin: () => void;
}

/** Why the body of a request could not be read to its end. */
export type BodyProblem = 'too_large' | 'timed_out' | 'broken';

/** How much is held of it at most, in bytes: what the client sends beyond that waits in its own buffers. */
const highWaterMark = 65_536;

/** The body of a request, which is read only when somebody wants it and no faster than he takes it. */
export class RequestBody {
  readonly #options: RequestBodyOptions;
  #state: 'untouched' | 'open' | 'ended' | BodyProblem = 'untouched';
  #bytes = 0;

  constructor(options: RequestBodyOptions) {
    this.#options = options;
  }

  get length(): number | null {
    return this.#options.length;
  }

  /** Whether it says of itself that it is larger than may be. */
  get is_too_large(): boolean {
    const { length, limit } = this.#options;
    return limit !== null && length !== null && length > limit;
  }

  /** Whether any of it was asked for: then the request can be sent nowhere else. */
  get has_begun(): boolean {
    return this.#state !== 'untouched';
  }

  /** What has come of it. */
  get bytes(): number {
    return this.#bytes;
  }

  get problem(): BodyProblem | null {
    const state = this.#state;
    return state === 'untouched' || state === 'open' || state === 'ended' ? null : state;
  }

  /** A stream of it for one attempt. Destroying that does nothing to the connection it comes from. */
  open(): Readable {
    let reading: Reading | null = null;
    const stream: Readable = new Readable({
      highWaterMark,
      read: () => {
        reading ??= this.#begin(stream);
        reading.more();
      },
      destroy: (error, done) => {
        reading?.stop();
        done(error);
      },
    });
    // Whoever has the stream learns of it; when nobody has it any more, it is no error.
    return stream.on('error', () => {});
  }

  #begin(stream: Readable): Reading {
    const { source, timeout, onBegin } = this.#options;
    if (this.#state !== 'untouched') throw new Error('the body of a request is read once');
    this.#state = 'open';
    onBegin();
    return readFrom(source, timeout, {
      onData: (chunk) => this.#take(stream, chunk),
      onEnd: () => {
        this.#state = 'ended';
        stream.push(null);
      },
      onProblem: (problem) => this.#fail(stream, problem),
    });
  }

  /** Returns whether more is wanted. */
  #take(stream: Readable, chunk: Buffer): boolean {
    const { limit } = this.#options;
    this.#bytes += chunk.length;
    if (limit === null || this.#bytes <= limit) return stream.push(chunk);
    this.#fail(stream, 'too_large');
    return false;
  }

  #fail(stream: Readable, problem: BodyProblem): void {
    this.#state = problem;
    stream.destroy(new Error(`the body of the request: ${problem}`));
  }
}

interface Reading {
  more(): void;
  stop(): void;
}

interface ReadingListener {
  onData(chunk: Buffer): boolean;
  onEnd(): void;
  onProblem(problem: BodyProblem): void;
}

/** Reads a stream on demand. The clock runs only while the stream is waited for, not while nobody wants more. */
function readFrom(source: Readable, timeout: number, listener: ReadingListener): Reading {
  let timer: NodeJS.Timeout | undefined;
  const rest = () => {
    clearTimeout(timer);
    timer = undefined;
    source.pause();
  };
  const onData = (chunk: Buffer) => {
    timer?.refresh();
    if (!listener.onData(chunk)) rest();
  };
  const onEnd = () => {
    stop();
    listener.onEnd();
  };
  const fail = (problem: BodyProblem) => {
    stop();
    listener.onProblem(problem);
  };
  const onBroken = () => fail('broken');
  const stop = () => {
    clearTimeout(timer);
    source.off('data', onData).off('end', onEnd).off('close', onBroken);
    // Somebody else may be throwing away the rest already.
    if (source.listenerCount('data') === 0) source.pause();
  };
  source.on('data', onData).on('end', onEnd).on('close', onBroken);
  source.pause();
  return {
    more() {
      timer ??= setTimeout(() => fail('timed_out'), timeout);
      source.resume();
    },
    stop,
  };
}
