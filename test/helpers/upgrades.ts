import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { AccessLog } from '../../src/router/access_log.ts';
import type { ClientConnection } from '../../src/router/client_connection.ts';
import { HeldRequests } from '../../src/router/held_requests.ts';
import { OpenConnections } from '../../src/router/open_connections.ts';
import type {
  Destination,
  Lease,
  NoInstance,
  TargetInstance,
  TargetService,
} from '../../src/router/target.ts';
import { Tracing } from '../../src/router/tracing.ts';
import { Upgrades } from '../../src/router/upgrades.ts';

/** An instance as a table would name it, whose draining the test sets. */
export class TestInstance implements TargetInstance {
  readonly id: string;
  readonly service = 'chat';
  readonly number: number;
  readonly release = 1;
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly listeners = new Set<(draining: TargetInstance['draining']) => void>();
  draining: TargetInstance['draining'] = null;

  constructor(port: number, number = 1) {
    this.port = port;
    this.number = number;
    this.id = `instance-${number}`;
  }

  onDraining(listener: (draining: TargetInstance['draining']) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  onGone(_listener: () => void): void {}

  drain(draining: TargetInstance['draining']): void {
    this.draining = draining;
    for (const listener of this.listeners) listener(draining);
  }
}

/** A service that gives its instances in order, and writes down what its leases are told. */
export class TestService implements TargetService {
  readonly id = 'chat';
  readonly timeouts = { connect: 3_000, response: 3_000, idle: null as number | null };
  retries = { attempts: 2, budget_percent: 100 };
  readonly told: string[] = [];
  readonly ended: { bytes_in: number; bytes_out: number }[] = [];
  hold: number | null = null;
  cookie: string | null = null;
  instances: TestInstance[];
  #onAvailable: (() => void)[] = [];

  constructor(instances: TestInstance[]) {
    this.instances = instances;
  }

  acquire(_request: unknown, tried: ReadonlySet<string>): Lease | NoInstance {
    const instance = this.instances.find(({ id, draining }) => !tried.has(id) && draining === null);
    if (instance === undefined) return 'none_ready';
    const { told, ended, cookie } = this;
    return {
      instance,
      cookie,
      answered: (status) => told.push(`${instance.id} answered ${status}`),
      failed: (how) => told.push(`${instance.id} ${how}`),
      retried: () => told.push(`${instance.id} retried`),
      end: (bytes_in, bytes_out) => {
        told.push(`${instance.id} ended`);
        ended.push({ bytes_in, bytes_out });
      },
    };
  }

  mayRetry(): boolean {
    return true;
  }

  available(signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve(false));
      this.#onAvailable.push(() => resolve(true));
    });
  }

  becomeAvailable(instances: TestInstance[]): void {
    this.instances = instances;
    for (const listener of this.#onAvailable.splice(0)) listener();
  }

  get waiting(): number {
    return this.#onAvailable.length;
  }
}

export interface UpgradeRouter {
  readonly port: number;
  readonly http2Port: number;
  readonly upgrades: Upgrades;
  readonly open: OpenConnections;
  readonly problems: string[];
  readonly access: AccessLog;
  /** What the access log has written. */
  readonly lines: string[];
}

/** Servers of HTTP/1.1 and HTTP/2 whose upgrades are taken to a service. */
export async function startUpgradeRouter(
  context: Pick<TestContext, 'after'>,
  service: TestService,
  direct: () => Destination = () => ({ kind: 'service', rule: 'chat/1', service, path: null }),
): Promise<UpgradeRouter> {
  const open = new OpenConnections('r');
  const problems: string[] = [];
  const held = new HeldRequests();
  held.most = 100;
  const isTrusted = () => false;
  const onProblem = (problem: string) => problems.push(problem);
  const lines: string[] = [];
  const access = new AccessLog({ write: (line) => lines.push(line) });
  const tracing = new Tracing();
  const director = { direct };
  const upgrades = new Upgrades({ director, open, held, isTrusted, access, tracing, onProblem });
  const server = createServer();
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) =>
    upgrades.take(request, socket, head, connectionOf(socket)),
  );
  const http2 = createHttp2Server({ settings: { enableConnectProtocol: true } });
  http2.on('stream', (stream, headers) => {
    upgrades.takeStream(stream, headers, connectionOf(stream.session?.socket as Socket));
  });
  context.after(() => {
    upgrades.close();
    server.close();
    http2.close();
  });
  return {
    port: await listen(server),
    http2Port: await listen(http2),
    upgrades,
    open,
    problems,
    access,
    lines,
  };
}

function connectionOf(socket: Socket): ClientConnection {
  const { remoteAddress = '127.0.0.1', localPort = 0 } = socket;
  return {
    socket,
    peer: remoteAddress,
    is_trusted: false,
    is_tls: false,
    local_port: localPort,
    started_at: Date.now(),
  };
}

/** Resolves with the port. */
export async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}
