import type { AnswerBuffer } from './answer_buffer.ts';
import { trailersOf } from './attempt.ts';
import { ChunkFrames } from './chunk_frames.ts';
import { fieldsIn, linesOf } from './field_lines.ts';
import { type PlainAnswer, readPlainAnswer } from './plain_answer.ts';

/** What has become of an answer with the bytes that came last. */
export type Progress = 'more' | 'whole' | 'malformed';

/** Bytes of the head of an answer, with those of 103 and the like before it. */
const mostHead = 65_536;
/** The one interim answer that a request without a body can be the reason of. */
const earlyHints = 103;
const lineEnd = '\r\n';
const lastChunk = '0\r\n\r\n';

/**
 * Reads an answer as it comes from an instance, and puts what of it goes to the client into the buffer of answers: the head
 * without the lines that speak of the connection to the instance, then the body as it is. One whose end is that of the
 * connection is put into chunks, so that the client knows whether it got all.
 */
export class AnswerRelay {
  readonly #buffer: AnswerBuffer;
  readonly #isBodyless: boolean;
  readonly #onHead: (answer: PlainAnswer) => string;
  /** How many bytes of interim answers have come. */
  #interim = 0;
  /** What has come of a head that is not whole. */
  #partial: Buffer | null = null;
  #answer: PlainAnswer | null = null;
  /** Of a body of known length: what is to come of it. */
  #left = 0;
  #frames: ChunkFrames | null = null;
  /** How many bytes stand in the buffer and are to be sent. */
  written = 0;
  /** How many bytes of the body have passed, without what frames them. */
  body_bytes = 0;
  /** Whether more has come than the answer: the connection to the instance is of no use any more. */
  hasSurplus = false;

  /**
   * @param isBodyless whether the request was HEAD
   * @param onHead called once; returns the lines to add to the head
   */
  constructor(buffer: AnswerBuffer, isBodyless: boolean, onHead: (answer: PlainAnswer) => string) {
    this.#buffer = buffer;
    this.#isBodyless = isBodyless;
    this.#onHead = onHead;
  }

  /** Null until the whole head has come. */
  get answer(): PlainAnswer | null {
    return this.#answer;
  }

  /** Whether a single byte has come. */
  get hasBegun(): boolean {
    return this.#answer !== null || this.#partial !== null;
  }

  /** Takes in the first `length` of these bytes. */
  take(bytes: Buffer, length: number): Progress {
    this.written = 0;
    if (this.#answer !== null) return this.#pass(this.#answer, bytes, 0, length);
    const partial = this.#partial;
    if (partial === null) return this.#readHead(bytes, length);
    const whole = Buffer.concat([partial, bytes.subarray(0, length)]);
    return this.#readHead(whole, whole.length);
  }

  /** Takes in that the instance has closed the connection. @param isOrderly whether it has done so by the book */
  close(isOrderly: boolean): Progress {
    this.written = 0;
    if (!isOrderly || this.#answer?.body_end !== 'close') return 'malformed';
    this.#put(lastChunk);
    return 'whole';
  }

  #readHead(bytes: Buffer, length: number): Progress {
    let start = 0;
    for (;;) {
      const answer = readPlainAnswer(bytes, start, length, this.#isBodyless);
      if (answer === 'malformed') return answer;
      if (answer === 'incomplete') return this.#keep(bytes, start, length);
      if (answer.end > mostHead) return 'malformed';
      const isInterim = answer.status < 200;
      if (isInterim) this.#interim += answer.end - start;
      if (this.#interim > mostHead) return 'malformed';
      if (!isInterim || answer.status === earlyHints) this.#copyHead(bytes, start, answer);
      start = answer.end + lineEnd.length;
      if (!isInterim) {
        this.#begin(answer);
        return this.#pass(answer, bytes, start, length);
      }
      if (answer.status === earlyHints) this.#put(lineEnd);
    }
  }

  /** Until more comes; a copy, as the bytes are those of the next one then. */
  #keep(bytes: Buffer, start: number, length: number): Progress {
    this.#partial = Buffer.from(bytes.subarray(start, length));
    return this.#partial.length > mostHead ? 'malformed' : 'more';
  }

  #begin(answer: PlainAnswer): void {
    const { body_end } = answer;
    this.#answer = answer;
    this.#partial = null;
    this.#left = answer.body_length;
    if (body_end === 'chunks') this.#frames = new ChunkFrames();
    const coding = body_end === 'chunks' || body_end === 'close' ? 'Transfer-Encoding: chunked\r\n' : '';
    this.#put(`${coding}${this.#onHead(answer)}${lineEnd}`);
  }

  /** The head but for its cuts, as one of HTTP/1.1, which this router speaks whatever the instance does. */
  #copyHead(bytes: Buffer, start: number, { cuts, end }: PlainAnswer): void {
    const { bytes: to } = this.#buffer;
    const version = this.written + 'HTTP/1.'.length;
    let from = start;
    for (let index = 0; index < cuts.length; index += 2) {
      this.written += bytes.copy(to, this.written, from, cuts[index]);
      from = cuts[index + 1] as number;
    }
    this.written += bytes.copy(to, this.written, from, end);
    to[version] = 0x31;
  }

  #pass(answer: PlainAnswer, bytes: Buffer, start: number, end: number): Progress {
    const { bytes: to } = this.#buffer;
    const { body_end } = answer;
    if (body_end === 'close') {
      if (end > start) {
        this.body_bytes += end - start;
        this.#put(`${(end - start).toString(16)}\r\n`);
        this.written += bytes.copy(to, this.written, start, end);
        this.#put(lineEnd);
      }
      return 'more';
    }
    let read = start;
    if (this.#frames !== null) {
      const passed = this.#frames.pass(bytes, start, end, to, this.written);
      this.body_bytes = this.#frames.data_bytes;
      if (passed === null) return 'malformed';
      this.written = passed.written;
      read = passed.read;
      if (!this.#frames.isDone) return 'more';
      this.#put(`${linesOf(trailersOf(fieldsIn(this.#frames.trailers)))}${lineEnd}`);
    } else if (body_end === 'length') {
      const length = Math.min(this.#left, end - start);
      this.written += bytes.copy(to, this.written, start, start + length);
      this.#left -= length;
      this.body_bytes += length;
      read += length;
      if (this.#left > 0) return 'more';
    }
    this.hasSurplus = read < end;
    return 'whole';
  }

  #put(text: string): void {
    this.written += this.#buffer.bytes.write(text, this.written, 'latin1');
  }
}
