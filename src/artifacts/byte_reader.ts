/** Reads a stream of bytes piece by piece; holds no more of it than the stream gives at once. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#chunks = source[Symbol.asyncIterator]();
  }

  /** Exactly so many bytes, which are few; null: the stream ends before. */
  async read(length: number): Promise<Buffer | null> {
    const parts: Buffer[] = [];
    for await (const part of this.take(length)) parts.push(part);
    const [only] = parts;
    if (parts.length === 1 && only?.length === length) return only;
    const whole = Buffer.concat(parts);
    return whole.length === length ? whole : null;
  }

  /** So many bytes as they come; fewer where the stream ends. */
  async *take(length: number): AsyncGenerator<Buffer> {
    for (let left = length; left > 0; ) {
      if (this.#rest.length === 0 && !(await this.#fill())) return;
      const part = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }

  /** Passes over all that is left. */
  async drain(): Promise<void> {
    this.#rest = Buffer.alloc(0);
    while (await this.#fill()) this.#rest = Buffer.alloc(0);
  }

  /** Reads no further: what gives the bytes may close its files. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #fill(): Promise<boolean> {
    const { done, value } = await this.#chunks.next();
    if (done === true) return false;
    this.#rest = value;
    return true;
  }
}
