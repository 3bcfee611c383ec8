import type { RouterSettings } from '../../src/contract/routing_table.ts';
import { AccessLog } from '../../src/router/access_log.ts';
import { FastPath } from '../../src/router/fast_path.ts';
import { HeldRequests } from '../../src/router/held_requests.ts';
import { type FastPath as FastPathOfFront, HttpFront } from '../../src/router/http_front.ts';
import { OpenConnections } from '../../src/router/open_connections.ts';
import type { Director } from '../../src/router/target.ts';
import { Tracing } from '../../src/router/tracing.ts';
import { TrustedProxies } from '../../src/router/trusted_proxies.ts';

const usual: RouterSettings = {
  listeners: [{ address: '127.0.0.1:0', tls: false, proxy_protocol: false }],
  certificates: [],
  min_version: 'TLSv1.2',
  trusted_proxies: [],
  drain_timeout: 30_000,
  limits: {
    header_size: 16_384,
    header_timeout: 10_000,
    idle_timeout: 60_000,
    body_timeout: 30_000,
    body_size: null,
    connections: 10_000,
    connections_per_address: 10_000,
    held_requests: 100,
  },
};

interface PathsOptions {
  /** Whether there is a fast path before the full one. Default: yes. */
  readonly isFast?: boolean;
  readonly limits?: Partial<RouterSettings['limits']>;
  readonly trusted_proxies?: string[];
  readonly listener?: Partial<RouterSettings['listeners'][number]>;
  readonly certificates?: RouterSettings['certificates'];
  readonly access_log?: RouterSettings['access_log'];
  readonly trace?: RouterSettings['trace'];
}

/** What serves HTTP for one director, with the fast path before the full one or without it. */
export class Paths {
  readonly open = new OpenConnections('r1');
  readonly ending = { is_ending: false };
  readonly problems: string[] = [];
  /** What went from the fast path to the full one, as it was read. */
  readonly handed: string[] = [];
  /** What the access log has written. */
  readonly lines: string[] = [];
  readonly access = new AccessLog({ write: (line) => void this.lines.push(line) });
  readonly fast: FastPath;
  readonly front: HttpFront;
  readonly #settings: RouterSettings;

  constructor(director: Director, options: PathsOptions = {}) {
    const { open, ending, problems, access } = this;
    const tracing = new Tracing();
    const { isFast = true, listener, limits: own, ...settings } = options;
    const limits = { ...usual.limits, ...own };
    const listeners = usual.listeners.map((each) => ({ ...each, ...listener }));
    this.#settings = { ...usual, ...settings, listeners, limits };
    const trusted = new TrustedProxies();
    const isTrusted = trusted.includes;
    this.fast = new FastPath({ director, open, ending, limits: () => limits, isTrusted, access, tracing });
    const upgrades = {
      take: (_request: unknown, socket: { destroy(): void }) => socket.destroy(),
      takeStream: (stream: { close(): void }) => stream.close(),
    };
    const fastPath: FastPathOfFront = {
      take: (connection, handOver) =>
        this.fast.take(connection, (given, head) => {
          this.handed.push(head.toString('latin1'));
          handOver(given, head);
        }),
    };
    const held = new HeldRequests();
    const onProblem = (problem: string) => void problems.push(problem);
    this.front = new HttpFront({
      director,
      open,
      upgrades,
      fastPath: isFast ? fastPath : null,
      ending,
      trusted,
      held,
      access,
      tracing,
      onProblem,
    });
  }

  /** Returns the port. */
  async listen(): Promise<number> {
    await this.front.apply(this.#settings);
    return Number(this.front.facts().listening[0]?.split(':').at(-1));
  }

  async close(): Promise<void> {
    this.fast.close();
    await this.front.close();
  }
}
