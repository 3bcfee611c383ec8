import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { errorMessage } from '../lib/errors.ts';
import { type PeerOptions, RouterPeer } from './peer.ts';

type LinkOptions = Pick<PeerOptions, 'onFacts' | 'onTable' | 'onHello' | 'onGone' | 'onProblem'> & {
  /** The folder of the socket, for the account of the agent alone. */
  readonly directory: string;
};

/** How many routers may be connected: two generations of the most processes, and some to spare. */
const mostRouters = 256;
/** Of a socket, in bytes (sun_path of unix(7), without its end). */
const longestPath = 107;

/** Where routers find the agent: a unix socket that only its own account can reach. */
export class RouterLink {
  readonly #options: LinkOptions;
  readonly #file: string;
  readonly #server: Server;
  readonly #open = new Set<RouterPeer>();
  readonly #peers = new Set<RouterPeer>();

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#file = join(options.directory, 'agent.sock');
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.on('error', (error) =>
      options.onProblem(`routers cannot reach the agent: ${error.message}`),
    );
  }

  /** Those that have said who they are. */
  get peers(): ReadonlySet<RouterPeer> {
    return this.#peers;
  }

  /** Listens, in place of an agent that has died. A socket that cannot be made is told as a problem. */
  listen(): void {
    const { directory, onProblem } = this.#options;
    if (Buffer.byteLength(this.#file) > longestPath) {
      onProblem(
        `routers cannot reach the agent: ${this.#file} is over ${longestPath} bytes, which is too long for a socket; use a data directory with a shorter path`,
      );
      return;
    }
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      chmodSync(directory, 0o700);
      rmSync(this.#file, { force: true });
    } catch (error) {
      onProblem(`routers cannot reach the agent: ${errorMessage(error)}`);
      return;
    }
    this.#server.listen(this.#file, () => this.#protect());
    this.#server.unref();
  }

  /** Lets go of every router; they go on by what they have. */
  close(): void {
    this.#server.close();
    for (const peer of this.#open) peer.cut();
    rmSync(this.#file, { force: true });
  }

  #protect(): void {
    try {
      chmodSync(this.#file, 0o600);
    } catch (error) {
      // Its folder is closed to others already.
      this.#options.onProblem(`${this.#file} cannot be protected: ${errorMessage(error)}`);
    }
  }

  #accept(socket: Socket): void {
    if (this.#open.size >= mostRouters) {
      socket.destroy();
      return;
    }
    const peer = new RouterPeer({
      ...this.#options,
      socket,
      onHello: (greeted) => {
        this.#peers.add(greeted);
        this.#options.onHello(greeted);
      },
      onGone: (gone) => {
        this.#open.delete(gone);
        if (this.#peers.delete(gone)) this.#options.onGone(gone);
      },
    });
    this.#open.add(peer);
  }
}
