import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { routing } from '../../src/contract/balancing.ts';
import type { RouterSettings } from '../../src/contract/routing_table.ts';
import { AccessLog } from '../../src/router/access_log.ts';
import { FastPath } from '../../src/router/fast_path.ts';
import { HeldRequests } from '../../src/router/held_requests.ts';
import { HttpFront, type HttpFrontOptions } from '../../src/router/http_front.ts';
import { OpenConnections } from '../../src/router/open_connections.ts';
import type {
  Destination,
  Director,
  Lease,
  NoInstance,
  TargetInstance,
  TargetService,
} from '../../src/router/target.ts';
import { Tracing } from '../../src/router/tracing.ts';
import { TrustedProxies } from '../../src/router/trusted_proxies.ts';
import type { RoutedRequest } from '../../src/routing/request.ts';

/** What a lease was told, in order. */
export type LeaseFact = 'answered' | 'failed' | 'retried' | 'end';

/** A service of instances that are always ready, tried in order. */
export class FakeService implements TargetService {
  readonly id = 'web';
  timeouts: { connect: number; response: number; idle: number | null } = {
    connect: 2_000,
    response: 20_000,
    idle: null,
  };
  retries = { ...routing.parse({}).retries, attempts: 2 };
  hold: number | null = null;
  cookie: string | null = null;
  instances: TargetInstance[] = [];
  /** By instance number. */
  readonly facts: { instance: number; fact: LeaseFact; how?: string | number }[] = [];
  open_leases = 0;
  readonly #waiting = new Set<() => void>();

  constructor(ports: readonly number[]) {
    this.setPorts(ports);
  }

  /** How many requests wait for an instance. */
  get waiting(): number {
    return this.#waiting.size;
  }

  setPorts(ports: readonly number[]): void {
    this.instances = ports.map((port, at) => ({
      id: `web/${at + 1}/${port}`,
      service: 'web',
      number: at + 1,
      release: 1,
      host: '127.0.0.1',
      port,
      draining: null,
      onDraining: () => () => {},
      onGone: () => {},
    }));
    for (const wake of this.#waiting) wake();
  }

  mayRetry(): boolean {
    return true;
  }

  acquire(_request: RoutedRequest, tried: ReadonlySet<string>): Lease | NoInstance {
    const instance = this.instances.find(({ id }) => !tried.has(id));
    if (instance === undefined) return 'none_ready';
    this.open_leases += 1;
    const note = (fact: LeaseFact, how?: string | number) => {
      this.facts.push({ instance: instance.number, fact, ...(how !== undefined && { how }) });
    };
    return {
      instance,
      cookie: this.cookie,
      answered: (status) => note('answered', status),
      failed: (how) => note('failed', how),
      retried: () => note('retried'),
      end: () => {
        this.open_leases -= 1;
        note('end');
      },
    };
  }

  async available(signal: AbortSignal): Promise<boolean> {
    if (this.instances.length > 0) return true;
    return new Promise((resolve) => {
      const end = (isThere: boolean) => {
        this.#waiting.delete(wake);
        resolve(isThere);
      };
      const wake = () => end(true);
      this.#waiting.add(wake);
      signal.addEventListener('abort', () => end(false));
    });
  }
}

/** Sends everything to one service, except what `answers` names by path. */
export class FakeDirector implements Director {
  readonly seen: RoutedRequest[] = [];
  readonly #direct: (request: RoutedRequest) => Destination;

  constructor(direct: (request: RoutedRequest) => Destination) {
    this.#direct = direct;
  }

  direct(request: RoutedRequest): Destination {
    this.seen.push(request);
    return this.#direct(request);
  }
}

export function settings(
  given: Partial<RouterSettings> = {},
  limits: Partial<RouterSettings['limits']> = {},
): RouterSettings {
  return {
    listeners: [{ address: '127.0.0.1:0', tls: false, proxy_protocol: false }],
    certificates: [],
    min_version: 'TLSv1.2',
    trusted_proxies: [],
    drain_timeout: 10_000,
    limits: {
      header_size: 16_384,
      header_timeout: 10_000,
      idle_timeout: 60_000,
      body_timeout: 30_000,
      body_size: null,
      connections: 1_000,
      connections_per_address: 1_000,
      held_requests: 100,
      ...limits,
    },
    ...given,
  };
}

export interface Front {
  readonly front: HttpFront;
  readonly service: FakeService;
  readonly director: FakeDirector;
  readonly open: OpenConnections;
  readonly ending: { is_ending: boolean };
  readonly problems: string[];
  /** Of the first listener. */
  readonly port: number;
}

/** A front before the instances with these ports, closed when the test ends. */
export async function openFront(
  t: TestContext,
  ports: readonly number[],
  given: RouterSettings = settings(),
  options: Partial<HttpFrontOptions> & { readonly isFast?: boolean } = {},
): Promise<Front> {
  const service = new FakeService(ports);
  const director = new FakeDirector(() => ({ kind: 'service', rule: 'web/1', service, path: null }));
  const open = new OpenConnections('r1');
  const ending = { is_ending: false };
  const problems: string[] = [];
  const trusted = new TrustedProxies();
  const { isFast = false, ...others } = options;
  const access = new AccessLog({ write: () => {} });
  const tracing = new Tracing();
  const limits = () => given.limits;
  const fast = new FastPath({ director, open, ending, limits, isTrusted: trusted.includes, access, tracing });
  const front = new HttpFront({
    director,
    open,
    ending,
    upgrades: { take: (_request, socket) => socket.destroy(), takeStream: (stream) => stream.close() },
    fastPath: isFast ? fast : null,
    trusted,
    held: new HeldRequests(),
    access,
    tracing,
    onProblem: (message) => problems.push(message),
    ...others,
  });
  t.after(() => {
    fast.close();
    return front.close();
  });
  await front.apply(given);
  const [address = ''] = front.facts().listening;
  const port = Number(address.slice(address.lastIndexOf(':') + 1));
  return { front, service, director, open, ending, problems, port };
}

/** An HTTP server on a free port, closed when the test ends. */
export async function openBackend(
  t: TestContext,
  onRequest: RequestListener,
): Promise<{ server: Server; port: number }> {
  const server = createServer({ keepAliveTimeout: 60_000 }, onRequest);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, port: (server.address() as AddressInfo).port };
}

/** A TCP server on a free port that gives each connection to a function, closed when the test ends. */
export async function openRawBackend(
  t: TestContext,
  onConnection: (socket: Socket) => void,
): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).once('close', () => sockets.delete(socket));
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A port on which nobody listens. */
export async function closedPort(): Promise<number> {
  const server = createTcpServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A raw connection of a client, with what has come on it so far. */
export class RawClient {
  readonly socket: Socket;
  text = '';
  is_closed = false;
  readonly #watching = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    const notify = () => {
      for (const look of this.#watching) look();
    };
    socket.setEncoding('latin1');
    socket.on('data', (chunk) => {
      this.text += String(chunk);
      notify();
    });
    socket.on('error', () => {});
    socket.once('close', () => {
      this.is_closed = true;
      notify();
    });
  }

  static async open(t: TestContext, port: number): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    t.after(() => socket.destroy());
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  write(text: string): this {
    this.socket.write(text, 'latin1');
    return this;
  }

  /** Resolves when what has come fits, or rejects when the connection ends before that. */
  until(fits: (text: string) => boolean): Promise<string> {
    return this.#when(
      () => fits(this.text),
      () => this.is_closed,
    );
  }

  /** Resolves with all that came when the other side has ended the connection. */
  closed(): Promise<string> {
    if (!this.is_closed) this.socket.once('end', () => this.socket.end());
    return this.#when(
      () => this.is_closed,
      () => false,
    );
  }

  #when(fits: () => boolean, isOver: () => boolean): Promise<string> {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (fits()) resolve(this.text);
        else if (isOver()) reject(new Error(`the connection ended after: ${JSON.stringify(this.text)}`));
        else return;
        this.#watching.delete(look);
      };
      this.#watching.add(look);
      look();
    });
  }
}

/** Reads the body of a request or an answer to its end. */
export async function bodyOf(message: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of message.setEncoding('latin1')) text += String(chunk);
  return text;
}

/** Resolves when a condition holds; looks again with each turn of the loop. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}
