const newline = 0x0a;

/** Puts a stream of bytes together to lines of UTF-8, each at most so many bytes long. */
export class MessageLines {
  readonly #most: number;
  #parts: Buffer[] = [];
  #held = 0;

  /** @param most bytes of a line, without its end */
  constructor(most: number) {
    this.#most = most;
  }

  /** The lines that `chunk` ends, without their ends. Throws RangeError as soon as a line is too long. */
  *read(chunk: Buffer): Generator<string> {
    let begin = 0;
    for (;;) {
      const end = chunk.indexOf(newline, begin);
      const part = chunk.subarray(begin, end === -1 ? undefined : end);
      if (this.#held + part.length > this.#most) throw new RangeError(`a line is over ${this.#most} bytes`);
      if (end === -1) {
        if (part.length > 0) this.#parts.push(part);
        this.#held += part.length;
        return;
      }
      yield this.#parts.length === 0 ? part.toString() : Buffer.concat([...this.#parts, part]).toString();
      this.#parts = [];
      this.#held = 0;
      begin = end + 1;
    }
  }
}
