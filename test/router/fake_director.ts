import type { AddressInfo, Server } from 'node:net';
import type {
  Destination,
  Director,
  Lease,
  NoInstance,
  TargetInstance,
  TargetService,
} from '../../src/router/target.ts';
import type { RoutedRequest } from '../../src/routing/request.ts';

/** An instance that is said to be there. */
export class FakeInstance implements TargetInstance {
  readonly service = 'shop';
  readonly release = 1;
  readonly host = '127.0.0.1';
  readonly number: number;
  readonly port: number;
  draining: TargetInstance['draining'] = null;
  readonly #onDraining = new Set<(draining: TargetInstance['draining']) => void>();
  readonly #onGone: (() => void)[] = [];

  constructor(number: number, port: number) {
    this.number = number;
    this.port = port;
  }

  get id(): string {
    return `shop-${this.number}`;
  }

  onDraining(listener: (draining: TargetInstance['draining']) => void): () => void {
    this.#onDraining.add(listener);
    return () => this.#onDraining.delete(listener);
  }

  onGone(listener: () => void): void {
    this.#onGone.push(listener);
  }

  drain(): void {
    this.draining = { until: Date.now() + 30_000, spread: 0 };
    for (const listener of this.#onDraining) listener(this.draining);
  }

  go(): void {
    for (const listener of this.#onGone) listener();
  }

  get listeners(): number {
    return this.#onDraining.size + this.#onGone.length;
  }
}

/** Sends every request to the first instance that was not tried, and writes down what is said of leases. */
export class FakeDirector implements Director, TargetService {
  readonly id = 'shop';
  timeouts: TargetService['timeouts'] = { connect: 3_000, response: 10_000, idle: null };
  retries: TargetService['retries'] = { attempts: 2, budget_percent: 20 };
  hold: number | null = null;
  /** In place of the service, by path. */
  readonly elsewhere = new Map<string, Destination>();
  /** What is asked for in place of the path of the request. */
  path: string | null = null;
  cookie: string | null = null;
  instances: FakeInstance[] = [];
  without: NoInstance = 'none_ready';
  /** Such as `1 answered 200`, in order; what went through stands in `ended`. */
  readonly said: string[] = [];
  readonly ended: { bytes_in: number; bytes_out: number }[] = [];
  readonly requests: RoutedRequest[] = [];
  /** Leases that were not given back. */
  open = 0;

  /** One instance for each port. */
  constructor(...ports: number[]) {
    this.instances = ports.map((port, index) => new FakeInstance(index + 1, port));
  }

  direct(request: RoutedRequest): Destination {
    this.requests.push(request);
    const service = { kind: 'service', rule: 'all', service: this, path: this.path } as const;
    return this.elsewhere.get(request.path) ?? service;
  }

  acquire(_request: RoutedRequest, tried: ReadonlySet<string>): Lease | NoInstance {
    const instance = this.instances.find(({ id }) => !tried.has(id));
    if (instance === undefined) return this.without;
    this.open += 1;
    const say = (what: string) => void this.said.push(`${instance.number} ${what}`);
    return {
      instance,
      cookie: this.cookie,
      answered: (status) => say(`answered ${status}`),
      failed: (how) => say(how),
      retried: () => say('retried'),
      end: (bytes_in, bytes_out) => {
        this.open -= 1;
        this.ended.push({ bytes_in, bytes_out });
      },
    };
  }

  mayRetry(): boolean {
    return true;
  }

  available(): Promise<boolean> {
    return Promise.resolve(false);
  }
}

/** The port that a server has got. */
export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
