import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { until } from '../helpers/system.ts';
import { portOf } from './fake_director.ts';

/** One side of a connection, as the bytes that came over it, in Latin-1. */
export class Wire {
  readonly socket: Socket;
  text = '';
  isEnded = false;
  isClosed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.text += chunk.toString('latin1');
    });
    socket.on('end', () => {
      this.isEnded = true;
    });
    socket.on('close', () => {
      this.isClosed = true;
    });
    socket.on('error', () => {});
  }

  static async open(t: TestContext, port: number): Promise<Wire> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    t.after(() => socket.destroy());
    await once(socket, 'connect');
    return new Wire(socket);
  }

  write(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** Waits until this has come, and takes all up to it out of `text`. */
  async take(end: string): Promise<string> {
    await until(`${JSON.stringify(end)} has come, not only ${JSON.stringify(this.text.slice(0, 500))}`, () =>
      this.text.includes(end),
    );
    const length = this.text.indexOf(end) + end.length;
    const taken = this.text.slice(0, length);
    this.text = this.text.slice(length);
    return taken;
  }

  async closed(): Promise<void> {
    await until('it is closed', () => this.isClosed);
  }
}

/** A server that answers as the test tells it to, byte for byte. */
export class WireServer {
  readonly wires: Wire[] = [];
  readonly #server: Server;
  #answer: ((request: string, wire: Wire) => string | undefined) | null = null;

  private constructor() {
    this.#server = createServer({ noDelay: true }, (socket) => this.#serve(new Wire(socket)));
  }

  static async listen(t: TestContext): Promise<WireServer> {
    const server = new WireServer();
    await once(server.#server.listen(0, '127.0.0.1'), 'listening');
    t.after(() => server.close());
    return server;
  }

  get port(): number {
    return portOf(this.#server);
  }

  /** Answers every head that comes from now on; undefined: not. */
  answer(answer: (request: string, wire: Wire) => string | undefined): this {
    this.#answer = answer;
    return this;
  }

  /** The connection that came as the so-manieth, from 0. */
  async wire(index: number): Promise<Wire> {
    await until(`connection ${index} has come`, () => this.wires.length > index);
    return this.wires[index] as Wire;
  }

  stop(): void {
    this.#server.close();
  }

  close(): void {
    this.stop();
    for (const { socket } of this.wires) socket.destroy();
  }

  #serve(wire: Wire): void {
    this.wires.push(wire);
    wire.socket.on('data', () => {
      while (this.#answer !== null && wire.text.includes('\r\n\r\n')) {
        const length = wire.text.indexOf('\r\n\r\n') + 4;
        const request = wire.text.slice(0, length);
        wire.text = wire.text.slice(length);
        const text = this.#answer(request, wire);
        if (text !== undefined) wire.write(text);
      }
    });
  }
}

/** An answer of known length. */
export function answerWith(body: string, lines = ''): string {
  return `HTTP/1.1 200 OK\r\n${lines}Content-Length: ${body.length}\r\n\r\n${body}`;
}
