import { createServer, type Server } from 'node:http';
import { isDeepStrictEqual } from 'node:util';
import express, { type Express } from 'express';
import type { Logger } from 'pino';
import type { MetricsConfig } from '../config/metrics.ts';
import { splitHostPort } from '../lib/addresses.ts';
import { DavitError, systemErrorCode } from '../lib/errors.ts';
import { boundConnections, connectionLimits } from './connections.ts';
import { answerErrors } from './errors.ts';
import { createHostCheck } from './host_check.ts';
import { type MetricsSource, sendMetrics } from './metrics_handler.ts';
import { createNetworks } from './networks.ts';

type ListenerConfig = NonNullable<MetricsConfig['listener']>;

interface MetricsListenerOptions {
  /** As they are now: they may change while the agent runs. */
  readonly settings: () => { readonly metrics: MetricsConfig; readonly allowed_hosts: readonly string[] };
  /** The names of this host. */
  readonly ownNames: readonly string[];
  readonly source: MetricsSource;
  readonly log: Logger;
  readonly onProblem: (message: string) => void;
  /** How long to wait until it is tried again to listen, in milliseconds. Default: five seconds. */
  readonly retryDelay?: number;
}

/** What the server is made of. */
interface Wanted {
  readonly listener: ListenerConfig;
  readonly allowed_hosts: readonly string[];
}

const usualRetryDelay = 5_000;

/** Answers `GET /metrics` without a key, and nothing else, to the networks that may ask, at an address of its own. */
export class MetricsListener {
  readonly #options: MetricsListenerOptions;
  #wanted: Wanted | null = null;
  #server: Server | null = null;
  #retry: NodeJS.Timeout | undefined;
  #problem: string | null = null;

  constructor(options: MetricsListenerOptions) {
    this.#options = options;
  }

  /** What somebody should know, in sentences. */
  get warnings(): string[] {
    return this.#problem === null ? [] : [this.#problem];
  }

  /** Where it listens, as `host:port`; null: nowhere. */
  get address(): string | null {
    const address = this.#server?.address();
    if (typeof address !== 'object' || address === null) return null;
    return address.family === 'IPv6'
      ? `[${address.address}]:${address.port}`
      : `${address.address}:${address.port}`;
  }

  /** Listens where the settings say, or nowhere. To be called at the start, and whenever they may be others. */
  look(): void {
    const { metrics, allowed_hosts } = this.#options.settings();
    const wanted = metrics.listener && { listener: metrics.listener, allowed_hosts };
    if (isDeepStrictEqual(wanted, this.#wanted)) return;
    this.#wanted = wanted;
    this.#leave();
    this.#problem = null;
    if (wanted !== null) this.#open(wanted);
  }

  close(): void {
    this.#wanted = null;
    this.#leave();
  }

  #leave(): void {
    clearTimeout(this.#retry);
    this.#server?.close();
    this.#server?.closeAllConnections();
    this.#server = null;
  }

  #open(wanted: Wanted): void {
    const { address } = wanted.listener;
    const { host, port } = splitHostPort(address);
    const server = createServer(connectionLimits, this.#app(wanted));
    boundConnections(server);
    this.#server = server;
    server.on('error', (error) => this.#noteFailure(server, wanted, error));
    server.listen(port, host, () => {
      if (this.#server !== server) return;
      this.#problem = null;
      this.#options.log.info({ address: this.address }, 'metrics are answered');
    });
  }

  /** It is told once, and tried again: whoever has the address may go. */
  #noteFailure(server: Server, wanted: Wanted, error: Error): void {
    if (this.#server !== server) return;
    const { address } = wanted.listener;
    const isTaken = systemErrorCode(error) === 'EADDRINUSE';
    const { retryDelay = usualRetryDelay } = this.#options;
    const reason = isTaken ? `${address} is taken by another program` : error.message;
    const problem = `metrics are not answered at metrics.listener: ${reason}; it is tried again every ${retryDelay / 1_000} s`;
    if (problem !== this.#problem) this.#options.onProblem(problem);
    this.#problem = problem;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#wanted === wanted && this.#open(wanted), retryDelay).unref();
  }

  #app({ listener: { allowed_networks }, allowed_hosts }: Wanted): Express {
    const { ownNames, source, log } = this.#options;
    const networks = createNetworks({ allowed_networks, trusted_proxies: [] });
    const app = express();
    app
      .disable('x-powered-by')
      .disable('etag')
      .set('strict routing', true)
      .set('case sensitive routing', true);
    app.use((_request, response, next) => {
      response.set('X-Content-Type-Options', 'nosniff');
      next();
    });
    app.use(networks.check, createHostCheck({ own_names: ownNames, allowed_hosts }));
    app.get('/metrics', (request, response) => sendMetrics(source, request, response));
    app.use((request) => {
      const isKnown = request.path === '/metrics';
      throw new DavitError(
        isKnown ? 'method_not_allowed' : 'not_found',
        isKnown ? 'only GET and HEAD are answered here' : 'only /metrics is answered here',
      );
    });
    app.use(answerErrors(log));
    return app;
  }
}
