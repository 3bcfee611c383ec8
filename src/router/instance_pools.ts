import { connect, type Socket } from 'node:net';
import { type Dispatcher, Pool } from 'undici';
import type { TargetInstance } from './target.ts';

interface PooledInstance {
  readonly pool: Pool;
  /** In milliseconds; that of the newest request counts. */
  connect_timeout: number;
}

/** Bytes of the head of an answer. */
const answerHeadSize = 65_536;
/** After so long a connection is made anew rather than used again, so that what a burst has opened goes away. In milliseconds. */
const oldestConnection = 300_000;
/** An instance closes an idle connection after some seconds: ours must be gone before. In milliseconds. */
const idleConnection = 4_000;

/** The connections to instances, kept for the next request. */
export class InstancePools {
  readonly #pools = new Map<TargetInstance, PooledInstance>();

  dispatch(
    instance: TargetInstance,
    connect_timeout: number,
    options: Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler,
  ): void {
    const known = this.#pools.get(instance) ?? this.#add(instance);
    known.connect_timeout = connect_timeout;
    known.pool.dispatch(options, handler);
  }

  /** Ends all of them at once. */
  async close(): Promise<void> {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    await Promise.all(pools.map(({ pool }) => pool.destroy()));
  }

  #add(instance: TargetInstance): PooledInstance {
    const { host, port } = instance;
    const pooled: PooledInstance = {
      connect_timeout: 0,
      pool: new Pool(`http://${host.includes(':') ? `[${host}]` : host}:${port}`, {
        // Not the one of undici: that looks at the Host header too, and a client writes that.
        connect: (_options, done) => openSocket(host, port, pooled.connect_timeout, done),
        pipelining: 1,
        maxHeaderSize: answerHeadSize,
        keepAliveTimeout: idleConnection,
        clientTtl: oldestConnection,
        allowH2: false,
      }),
    };
    this.#pools.set(instance, pooled);
    instance.onGone(() => {
      this.#pools.delete(instance);
      // What is under way goes on to its end.
      pooled.pool.close().catch(() => {});
    });
    return pooled;
  }
}

type Done = (...result: [error: Error, socket: null] | [error: null, socket: Socket]) => void;

function openSocket(host: string, port: number, timeout: number, done: Done): void {
  const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 });
  const timer = setTimeout(() => socket.destroy(new ConnectTimeout()), timeout);
  const onError = (error: Error) => {
    clearTimeout(timer);
    done(error, null);
  };
  socket.once('error', onError).once('connect', () => {
    clearTimeout(timer);
    socket.off('error', onError);
    done(null, socket);
  });
}

/** The instance has not accepted the connection in time. */
export class ConnectTimeout extends Error {
  constructor() {
    super('the connection was not accepted in time');
  }
}
