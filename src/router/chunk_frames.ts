import { carriageReturn, lineFeed, octetTable } from './octets.ts';

/** Where in a body in chunks (RFC 9112, 7.1) the next byte stands. */
type Place =
  | 'size'
  | 'extension'
  | 'size_end'
  | 'data'
  | 'data_end'
  | 'data_end_2'
  | 'trailer_start'
  | 'trailer'
  | 'trailer_end'
  | 'last_end'
  | 'done';

/** No body is as long as what can be said with these. */
const mostDigits = 12;
/** How many bytes of extensions and trailers a body may have. */
const mostExtra = 16_384;
/** What extensions and trailers consist of: anything but control characters other than the tab. */
const isText = octetTable(/[\t -~\x80-\xff]/);
/** The places that an octet leads to which is not passed on as it stands. */
const extra: ReadonlySet<Place> = new Set(['extension', 'trailer', 'trailer_end', 'last_end', 'done']);
/** Lines of a name, a colon and a value (RFC 9112, 5). */
const trailerForm = /^(?:[\w!#$%&'*+.^`|~-]+:.*\r\n)*$/;
const semicolon = 0x3b;

/**
 * Follows a body in chunks and passes it on as it is framed, up to and with the last chunk. Extensions are left out, and what
 * comes after the last chunk is left to whoever passes this on. What is not exactly as the RFC has it, such as a bare line feed
 * or a space about a size, is refused.
 */
export class ChunkFrames {
  #place: Place = 'size';
  /** Of the chunk: its size so far, then what is to come of its data. */
  #left = 0;
  #digits = 0;
  #extra = 0;
  /** The lines between the last chunk and the empty line that ends the body, each with its end. */
  trailers = '';
  /** How many bytes of the body itself have passed. */
  data_bytes = 0;

  /** Whether the whole body has come. */
  get isDone(): boolean {
    return this.#place === 'done';
  }

  /**
   * Passes on what stands in `from` between `start` and `end` by writing it to `to` from `at` on, where there must be as
   * much room. Returns where it came to in both, which is before `end` where the body ends there; null: it is malformed.
   */
  pass(
    from: Buffer,
    start: number,
    end: number,
    to: Buffer,
    at: number,
  ): { read: number; written: number } | null {
    let read = start;
    let written = at;
    while (read < end && this.#place !== 'done') {
      if (this.#place === 'data') {
        const length = Math.min(this.#left, end - read);
        from.copy(to, written, read, read + length);
        read += length;
        written += length;
        this.data_bytes += length;
        this.#left -= length;
        if (this.#left === 0) this.#place = 'data_end';
        continue;
      }
      const octet = from[read++] as number;
      const wasTrailer = this.#place === 'trailer_end';
      const next = this.#next(octet);
      if (next === null) return null;
      this.#place = next;
      if (!wasTrailer && !extra.has(next)) to[written++] = octet;
      else if (++this.#extra > mostExtra) return null;
      if (wasTrailer || next === 'trailer' || next === 'trailer_end')
        this.trailers += String.fromCharCode(octet);
    }
    if (this.isDone && !trailerForm.test(this.trailers)) return null;
    return { read, written };
  }

  /** The place after an octet of the frame; null: none may be there. */
  #next(octet: number): Place | null {
    switch (this.#place) {
      case 'size':
        return this.#afterSize(octet);
      case 'extension':
        return octet === carriageReturn ? 'size_end' : isText[octet] === 1 ? 'extension' : null;
      case 'size_end':
        if (octet !== lineFeed) return null;
        this.#digits = 0;
        return this.#left === 0 ? 'trailer_start' : 'data';
      case 'data_end':
        return octet === carriageReturn ? 'data_end_2' : null;
      case 'data_end_2':
        return octet === lineFeed ? 'size' : null;
      case 'trailer_start':
        return octet === carriageReturn ? 'last_end' : isText[octet] === 1 ? 'trailer' : null;
      case 'trailer':
        return octet === carriageReturn ? 'trailer_end' : isText[octet] === 1 ? 'trailer' : null;
      case 'trailer_end':
        return octet === lineFeed ? 'trailer_start' : null;
      case 'last_end':
        return octet === lineFeed ? 'done' : null;
      default:
        return null;
    }
  }

  #afterSize(octet: number): Place | null {
    const digit = hexDigit(octet);
    if (digit !== -1) {
      if (++this.#digits > mostDigits) return null;
      this.#left = this.#left * 16 + digit;
      return 'size';
    }
    if (this.#digits === 0) return null;
    return octet === carriageReturn ? 'size_end' : octet === semicolon ? 'extension' : null;
  }
}

function hexDigit(octet: number): number {
  if (octet >= 0x30 && octet <= 0x39) return octet - 0x30;
  const lower = octet | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1;
}
