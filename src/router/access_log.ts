import type { AccessLogSettings } from '../contract/routing_table.ts';
import {
  accessLine,
  isSlow,
  type LoggedProtocol,
  type LoggedRequest,
  type WebSocketEnd,
} from './access_line.ts';
import { AccessRecord } from './access_record.ts';

interface AccessLogOptions {
  /** Takes a line with its end; never throws, and never waits. */
  readonly write: (line: string) => void;
  /** From 0 up to 1. */
  readonly random?: () => number;
}

/** Which requests are written down, and how. Off until the settings say otherwise. */
export class AccessLog {
  readonly #write: (line: string) => void;
  readonly #random: () => number;
  #settings: AccessLogSettings | null = null;
  /** Whether this router is ending what is left: a client that is gone from now on did not go by itself. */
  cuts_off = false;

  constructor({ write, random = Math.random }: AccessLogOptions) {
    this.#write = write;
    this.#random = random;
  }

  /** Whether what becomes of requests is to be noted. */
  get isOn(): boolean {
    return this.#settings !== null;
  }

  /** Holds for requests that begin from now on; once it is off, nothing more is written of those that are under way either. */
  apply(settings: AccessLogSettings | null): void {
    this.#settings = settings;
  }

  /** A record of a request that begins now; null: nothing is to be noted. @param own one that can be used again */
  begin(own: AccessRecord | null = null): AccessRecord | null {
    const settings = this.#settings;
    if (settings === null) return null;
    const is_sampled = settings.sample >= 1 || this.#random() < settings.sample;
    if (!is_sampled && !settings.errors && settings.slow === null) return null;
    return (own ?? new AccessRecord()).begin(is_sampled, performance.now());
  }

  /** Writes down a request that is over, if it is one of the sample or what became of it makes it worth it. */
  end(
    record: AccessRecord,
    request: LoggedRequest,
    protocol: LoggedProtocol,
    websocket: WebSocketEnd | null = null,
  ): void {
    const settings = this.#settings;
    if (settings === null) return;
    const duration = performance.now() - record.begun_at;
    const isWanted =
      record.is_sampled ||
      (settings.errors && hasFailed(record)) ||
      (settings.slow !== null && isSlow(duration, protocol, settings));
    if (!isWanted) return;
    if (record.failure === 'client_gone' && this.cuts_off) record.failure = 'cut_off';
    const ended_at = Date.now();
    this.#write(accessLine({ record, request, protocol, websocket, duration, ended_at }, settings));
  }

  /** Writes down one that was refused before it could be read. */
  refused(status: number, client: string, protocol: LoggedProtocol, method = ''): void {
    const record = this.begin();
    if (record === null) return;
    record.given(status);
    this.end(record, { method, host: '', path: '', client, header: () => undefined }, protocol);
  }
}

function hasFailed({ failure, status }: AccessRecord): boolean {
  return failure !== null || (status !== null && status >= 500);
}
