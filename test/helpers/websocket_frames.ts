import { connect, type Socket } from 'node:net';

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface FrameOptions {
  readonly fin?: boolean;
  /** The three reserved bits, the first of which permessage-deflate uses. */
  readonly reserved?: number;
  readonly masked?: boolean;
}

/** A frame as a client sends it, with a mask that is always the same. */
export function frame(opcode: number, payload: Buffer | string, options: FrameOptions = {}): Buffer {
  const { fin = true, reserved = 0, masked = true } = options;
  const data = Buffer.from(payload);
  const first = (fin ? 0x80 : 0) | (reserved << 4) | opcode;
  const bit = masked ? 0x80 : 0;
  if (!masked) return Buffer.concat([lengthOf(first, bit, data.length), data]);
  const mask = Buffer.from([0x12, 0x34, 0x56, 0x78]);
  for (let at = 0; at < data.length; at++) data[at] = (data[at] as number) ^ (mask[at % 4] as number);
  return Buffer.concat([lengthOf(first, bit, data.length), mask, data]);
}

export function closePayload(code: number, reason: Buffer | string = ''): Buffer {
  return Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)]);
}

function lengthOf(first: number, bit: number, length: number): Buffer {
  if (length < 126) return Buffer.from([first, bit | length]);
  if (length < 65_536) return Buffer.from([first, bit | 126, length >> 8, length & 0xff]);
  const head = Buffer.alloc(10);
  head[0] = first;
  head[1] = bit | 127;
  head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}

export const key = 'dGhlIHNhbXBsZSBub25jZQ==';

/** The head of a request for a WebSocket connection. */
export function upgradeHead(path: string, fields: readonly string[] = []): string {
  return [
    `GET ${path} HTTP/1.1`,
    'Host: example.org',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Key: ${key}`,
    'Sec-WebSocket-Version: 13',
    ...fields,
    '\r\n',
  ].join('\r\n');
}

/** A client that knows nothing of WebSocket but bytes. */
export class RawClient {
  readonly socket: Socket;
  /** How the other side has ended its direction: null as long as it has not. */
  ending: 'end' | 'reset' | null = null;
  #received: Buffer[] = [];
  #onChange: (() => void)[] = [];

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    this.socket.on('data', (chunk: Buffer) => {
      this.#received.push(chunk);
      this.#changed();
    });
    this.socket.on('end', () => this.#end('end'));
    this.socket.on('error', () => this.#end('reset'));
    this.socket.on('close', () => this.#changed());
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#received);
  }

  /** What came before the first empty line. */
  get head(): string {
    return this.bytes.toString('latin1').split('\r\n\r\n', 1)[0] ?? '';
  }

  /** What came after the first empty line. */
  get body(): Buffer {
    const { bytes } = this;
    const end = bytes.indexOf('\r\n\r\n');
    return end < 0 ? Buffer.alloc(0) : bytes.subarray(end + 4);
  }

  write(bytes: Buffer | string): void {
    this.socket.write(bytes);
  }

  /** Resolves when what has been received, or how it ended, is as wanted. */
  async until(fact: (client: RawClient) => boolean): Promise<void> {
    while (!fact(this)) await new Promise<void>((resolve) => this.#onChange.push(resolve));
  }

  #end(how: 'end' | 'reset'): void {
    this.ending ??= how;
    this.#changed();
  }

  #changed(): void {
    for (const listener of this.#onChange.splice(0)) listener();
  }
}
