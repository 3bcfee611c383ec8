import { randomBytes } from 'node:crypto';
import { WebSocket } from 'ws';
import { until } from './until.ts';

/** A WebSocket connection that ended otherwise than it may, or whose echoes are not what was sent. */
export interface WebSocketFailure {
  readonly at: number;
  readonly why: string;
  /** Of the client's end of the connection; null: it never stood. */
  readonly port: number | null;
  /** Of the process at the other end; null: it has not said. */
  readonly pid: number | null;
}

interface WebSocketClientsOptions {
  /** Of the router. */
  readonly port: number;
  readonly count: number;
  /** Milliseconds between two messages of a client. */
  readonly pause: number;
}

/** Service restart (RFC 6455, section 7.4, and the registry of IANA): come back, to another instance. */
const serviceRestart = 1012;
const going = 1000;
/** Longer than anything takes on a machine that is busy with other things. */
const patience = 20_000;

/**
 * Clients that each keep a WebSocket connection open and check the echo of what they send, small messages and such as come in
 * several parts. One that is told to come back does so at once.
 */
export class WebSocketClients {
  failures: WebSocketFailure[] = [];
  readonly #clients: Client[];

  constructor(options: WebSocketClientsOptions) {
    const note = (failure: WebSocketFailure) => void this.failures.push(failure);
    this.#clients = Array.from({ length: options.count }, (_, at) => new Client(options, at, note));
  }

  get echoed(): number {
    return this.#clients.reduce((sum, { echoed }) => sum + echoed, 0);
  }

  /** How often clients were told to come back. */
  get returns(): number {
    return this.#clients.reduce((sum, { returns }) => sum + returns, 0);
  }

  /** Every connection that stands, by where it begins and ends. */
  get connections(): readonly { readonly port: number | null; readonly pid: number | null }[] {
    return this.#clients.filter(({ isOpen }) => isOpen).map(({ port, pid }) => ({ port, pid }));
  }

  /** The failures so far, which are as if they had not been from now on. */
  takeFailures(): WebSocketFailure[] {
    const { failures } = this;
    this.failures = [];
    return failures;
  }

  /** Resolves when all stand and each has had an echo since. */
  async allEcho(): Promise<void> {
    const before = this.#clients.map(({ echoed }) => echoed);
    await until('every WebSocket client gets echoes', () =>
      this.#clients.every(({ isOpen, echoed }, at) => isOpen && echoed > (before[at] ?? 0)),
    );
  }

  /** Each ends its connection and makes another one, so that routers that are new get their share. Resolves when all stand. */
  async reopen(): Promise<void> {
    for (const client of this.#clients) client.reopen();
    await this.allEcho();
  }

  /** Closes all of them from this side, in order. */
  async stop(): Promise<void> {
    for (const client of this.#clients) client.stop();
    await until('every WebSocket client has ended', () => this.#clients.every(({ isOver }) => isOver));
  }
}

class Client {
  port: number | null = null;
  pid: number | null = null;
  echoed = 0;
  returns = 0;
  isOver = false;
  readonly #options: WebSocketClientsOptions;
  readonly #number: number;
  readonly #note: (failure: WebSocketFailure) => void;
  #socket: WebSocket;
  #isReopening = false;
  /** What has been sent and has not come back. */
  #sent: Buffer | null = null;
  #isEnding = false;
  #timer: NodeJS.Timeout | undefined;
  #why = '';

  constructor(options: WebSocketClientsOptions, number: number, note: (failure: WebSocketFailure) => void) {
    this.#options = options;
    this.#number = number;
    this.#note = note;
    this.#socket = this.#connect();
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN && this.pid !== null;
  }

  reopen(): void {
    this.#isReopening = true;
    this.#socket.close(going);
  }

  stop(): void {
    this.#isEnding = true;
    clearTimeout(this.#timer);
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.close(going);
    else if (this.#socket.readyState !== WebSocket.CLOSING) {
      this.isOver = true;
      this.#socket.terminate();
    }
  }

  #connect(): WebSocket {
    const socket = new WebSocket(`ws://127.0.0.1:${this.#options.port}/socket`, {
      perMessageDeflate: false,
      handshakeTimeout: patience,
    });
    this.port = null;
    this.pid = null;
    this.#sent = null;
    socket.on('upgrade', ({ socket: { localPort } }) => {
      this.port = localPort ?? null;
    });
    socket.on('message', (message: Buffer) => this.#read(message));
    socket.on('error', ({ message }) => {
      this.#why = message;
    });
    socket.on('close', (code, reason) => this.#closed(code, String(reason)));
    return socket;
  }

  #read(message: Buffer): void {
    if (this.pid === null) {
      this.pid = (JSON.parse(String(message)) as { pid: number }).pid;
    } else if (this.#sent === null || !message.equals(this.#sent)) {
      this.#fail('an echo that is not what was sent');
    } else {
      this.#sent = null;
      this.echoed += 1;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#send(), this.#options.pause * (0.5 + Math.random()));
  }

  #send(): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#sent = randomBytes((this.#number + this.echoed) % 10 === 0 ? 100_000 : 20);
    this.#socket.send(this.#sent);
    this.#timer = setTimeout(() => this.#fail('no echo'), patience);
  }

  #closed(code: number, reason: string): void {
    clearTimeout(this.#timer);
    if (this.isOver) return;
    const isOwn = code === going && (this.#isReopening || this.#isEnding);
    this.#isReopening = false;
    this.isOver = this.#isEnding;
    if (code === serviceRestart) this.returns += 1;
    else if (!isOwn) this.#fail(`closed with ${code} ${reason} ${this.#why}`.trim());
    this.#why = '';
    // Who cannot get in at all does not try without a pause.
    if (code === serviceRestart || isOwn) this.#comeBack();
    else setTimeout(() => this.#comeBack(), 100);
  }

  #comeBack(): void {
    if (!this.isOver) this.#socket = this.#connect();
  }

  #fail(why: string): void {
    this.#note({ at: performance.now(), why, port: this.port, pid: this.pid });
  }
}
