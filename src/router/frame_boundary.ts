const opcodeOfText = 0x1;
const opcodeOfBinary = 0x2;
const opcodeOfClose = 0x8;

/**
 * Follows the frames of one direction of a WebSocket connection (RFC 6455, section 5.2), to know where another one may be put
 * between two of them. It reads the 2 to 10 bytes by which a frame begins and counts the rest: a chunk that lies within a frame
 * costs one comparison. What it is given need not be valid: then only the place of the next frame is a wrong one.
 */
export class FrameBoundary {
  /** Bytes of the frame that are still to come, once its length is known. */
  #rest = 0;
  /** How many of the bytes that say the length have been read, from the first byte of the frame. 0: they are complete. */
  #header = 0;
  #lengthBytes = 0;
  #length = 0;
  #mask = 0;
  #closed = false;
  #messages = 0;
  /** Of the Close frame: its first two bytes, once they have come. */
  #code = 0;
  #codeBytes = 0;

  /** Whether the next byte is the first one of a frame. */
  get isBetween(): boolean {
    return this.#rest === 0 && this.#header === 0;
  }

  /** Whether a Close frame has begun: nothing may follow it. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** How many messages have begun. */
  get messages(): number {
    return this.#messages;
  }

  /** The code in the Close frame; null: there was none, or it has not come whole. A client masks its own, and it is not read. */
  get closeCode(): number | null {
    return this.#codeBytes === 2 ? this.#code : null;
  }

  /** Goes over the next bytes. */
  advance(bytes: Uint8Array): void {
    if (bytes.length <= this.#rest && !this.#closed) this.#rest -= bytes.length;
    else this.#walk(bytes, false);
  }

  /** Goes over the next bytes as far as the end of the frame that is under way. Returns how many that is: all, when it does not end there. */
  finish(bytes: Uint8Array): number {
    return this.isBetween ? 0 : this.#walk(bytes, true);
  }

  #walk(bytes: Uint8Array, isToStop: boolean): number {
    let at = 0;
    while (at < bytes.length) {
      if (this.#rest > 0) {
        const skipped = Math.min(this.#rest, bytes.length - at);
        if (this.#closed) this.#readCode(bytes, at, at + skipped);
        this.#rest -= skipped;
        at += skipped;
      } else this.#read(bytes[at++] as number);
      if (isToStop && this.isBetween) break;
    }
    return at;
  }

  #read(byte: number): void {
    this.#header++;
    if (this.#header === 1) {
      const opcode = byte & 0x0f;
      if (opcode === opcodeOfClose) this.#closed = true;
      else if (opcode === opcodeOfText || opcode === opcodeOfBinary) this.#messages++;
      return;
    }
    if (this.#header === 2) this.#readLength(byte);
    else this.#length = this.#length * 256 + byte;
    if (this.#header < 2 + this.#lengthBytes) return;
    this.#rest = this.#length + this.#mask;
    this.#header = 0;
  }

  #readCode(bytes: Uint8Array, start: number, end: number): void {
    if (this.#mask !== 0) return;
    for (let at = start; at < end && this.#codeBytes < 2; at++) {
      this.#code = this.#code * 256 + (bytes[at] as number);
      this.#codeBytes++;
    }
  }

  #readLength(byte: number): void {
    const length = byte & 0x7f;
    this.#mask = byte & 0x80 ? 4 : 0;
    this.#lengthBytes = length === 127 ? 8 : length === 126 ? 2 : 0;
    this.#length = this.#lengthBytes === 0 ? length : 0;
  }
}

/** A Close frame as a server sends it. @param reason at most 123 bytes */
export function closeFrame(code: number, reason: string): Buffer {
  const text = Buffer.from(reason, 'utf8');
  const frame = Buffer.alloc(4 + text.length);
  frame[0] = 0x80 | opcodeOfClose;
  frame[1] = 2 + text.length;
  frame.writeUInt16BE(code, 2);
  text.copy(frame, 4);
  return frame;
}
