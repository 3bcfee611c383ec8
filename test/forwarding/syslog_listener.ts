import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { until } from '../helpers/system.ts';

const message = /^<\d+>1 \S+ \S+ (\S+) \S+ \S+ \[davit@32473 [^\]]*\] (.*)$/;

/** A receiver of syslog over TCP that can hang, break off and be down. */
export class SyslogListener implements AsyncDisposable {
  /** The texts of the messages that were read to their end, framed by octet counting. */
  readonly texts: string[] = [];
  readonly sockets = new Set<Socket>();
  /** Whether new connections are read. */
  isReading = true;
  readonly #tls: { cert: string; key: string } | undefined;
  #server: Server | undefined;
  port = 0;

  private constructor(tls?: { cert: string; key: string }) {
    this.#tls = tls;
  }

  static async start(tls?: { cert: string; key: string }): Promise<SyslogListener> {
    const listener = new SyslogListener(tls);
    await listener.up();
    return listener;
  }

  get numbers(): number[] {
    return this.texts.map(Number);
  }

  async up(): Promise<void> {
    const take = (socket: Socket) => this.#take(socket);
    const server = this.#tls ? createTlsServer(this.#tls, take) : createServer(take);
    this.#server = server.listen(this.port, '127.0.0.1');
    await once(server, 'listening');
    this.port = (server.address() as AddressInfo).port;
  }

  /** Ends as a process does that is killed with something unread. */
  async down(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of this.sockets) {
      if (this.#tls) socket.destroy();
      else socket.resetAndDestroy();
    }
    await closed;
  }

  async untilReceived(number: number): Promise<void> {
    await until(`${number} has come`, () => this.numbers.includes(number));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }

  #take(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => this.sockets.delete(socket));
    if (!this.isReading) {
      socket.pause();
      return;
    }
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      rest = this.#read(Buffer.concat([rest, chunk]));
    });
  }

  #read(bytes: Buffer): Buffer {
    let place = 0;
    for (;;) {
      const space = bytes.indexOf(' ', place);
      const end = space + 1 + Number(bytes.toString('latin1', place, space));
      if (space === -1 || end > bytes.length) return bytes.subarray(place);
      this.texts.push(message.exec(bytes.toString('utf8', space + 1, end))?.[2] ?? 'no message');
      place = end;
    }
  }
}
