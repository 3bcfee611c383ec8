import { createServer, type Server } from 'node:net';
import type { ClientConnection } from '../../src/router/client_connection.ts';
import { FastPath } from '../../src/router/fast_path.ts';
import { originOf } from '../../src/router/forwarding.ts';
import { FullPath } from '../../src/router/full_path.ts';
import { HeldRequests } from '../../src/router/held_requests.ts';
import { Http1 } from '../../src/router/http1.ts';
import { InstancePools } from '../../src/router/instance_pools.ts';
import { OpenConnections } from '../../src/router/open_connections.ts';
import type { Limits, Receiver } from '../../src/router/receiver.ts';
import { viewOf } from '../../src/router/request_view.ts';
import type { Director } from '../../src/router/target.ts';

export const usualLimits: Limits = {
  header_size: 16_384,
  header_timeout: 10_000,
  idle_timeout: 60_000,
  body_timeout: 30_000,
  body_size: null,
  connections: 10_000,
  connections_per_address: 10_000,
  held_requests: 100,
};

/** A router for one director, with the fast path before the full one or without it. */
export class Paths {
  readonly open = new OpenConnections('r1');
  readonly ending = { is_ending: false };
  readonly fast: FastPath;
  readonly server: Server;
  readonly #pools = new InstancePools();
  readonly #full: Http1;
  limits: Limits = usualLimits;
  /** Networks are not of interest here, only whether the peer is a proxy. */
  isTrusted = false;
  /** What went to the full path, as it was read. */
  readonly handed: string[] = [];

  constructor(director: Director, isFast: boolean) {
    const { open, ending } = this;
    const limits = () => this.limits;
    this.fast = new FastPath({ director, open, ending, limits, isTrusted: () => this.isTrusted });
    const held = new HeldRequests(() => 100);
    const onUnroutable = () => {};
    const path = new FullPath({ director, pools: this.#pools, held, onUnroutable });
    const receiver: Receiver = {
      limits: this.limits,
      ending,
      open,
      serve: (incoming) => {
        const { head, connection } = incoming;
        const origin = originOf(head.fields, connection, head.authority, () => this.isTrusted);
        void path.serve({ ...incoming, origin, view: viewOf(head, origin) });
      },
      upgrade: (_request, socket) => void socket.destroy(),
      upgradeStream: (stream) => void stream.close(),
    };
    this.#full = new Http1(receiver);
    const handOver = (connection: ClientConnection, head: Buffer) => {
      this.handed.push(head.toString('latin1'));
      this.#full.take(connection, head);
    };
    this.server = createServer({ noDelay: true }, (socket) => {
      const connection: ClientConnection = {
        socket,
        peer: '127.0.0.1',
        is_trusted: this.isTrusted,
        is_tls: false,
        local_port: 80,
        started_at: Date.now(),
      };
      if (isFast) this.fast.take(connection, handOver);
      else this.#full.take(connection);
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return (this.server.address() as { port: number }).port;
  }

  async close(): Promise<void> {
    this.fast.close();
    this.#full.close();
    this.server.close();
    await this.#pools.close();
  }
}
