import type { Socket } from 'node:net';

/**
 * Where answers are put together, all of them in the same memory: it is free again as soon as the system has taken what was
 * written, which is nearly always at once. Where it has not, the memory is left to that write, and there is another one.
 */
export class AnswerBuffer {
  readonly #size: number;
  /** Whatever stands here counts until the next `send`, no longer. */
  bytes: Buffer;

  constructor(size: number) {
    this.#size = size;
    this.bytes = Buffer.allocUnsafeSlow(size);
  }

  /** Writes the first `length` bytes. Returns false when the other side reads more slowly than this is written. */
  send(socket: Socket, length: number, isTls: boolean): boolean {
    const part = this.bytes.subarray(0, length);
    // What has to wait, or is encrypted first, is never taken at once, and must hold no more memory than it needs.
    if (isTls || socket.writableLength > 0) return socket.write(Buffer.from(part));
    const goesOn = socket.write(part);
    if (socket.writableLength > 0) this.bytes = Buffer.allocUnsafeSlow(this.#size);
    return goesOn;
  }
}
