import { hostname } from 'node:os';
import type { LogForwardingConfig } from '../config/log_forwarding.ts';
import type { BackoffTimes } from '../lib/backoff.ts';
import { errorMessage } from '../lib/errors.ts';
import { matchesGlob } from '../lib/glob.ts';
import type { LogFeed } from '../logs/log_feed.ts';
import { HttpReceiver } from './http_receiver.ts';
import type { Positions, TargetPositions } from './positions.ts';
import { Pump } from './pump.ts';
import type { ReceiverEvents } from './receiver.ts';
import { Source } from './source.ts';
import { SyslogReceiver } from './syslog_receiver.ts';

export interface TargetOptions {
  readonly config: LogForwardingConfig;
  readonly feed: LogFeed;
  readonly positions: Positions;
  /** Whether there is such a service. */
  readonly exists: (service: string) => boolean;
  /** It fails for some time, with what is wrong; null: not any more. */
  readonly onFailing: (target: string, message: string | null) => void;
  readonly onProblem: (message: string) => void;
  /** Default: half a second, doubled up to ten. */
  readonly backoff?: BackoffTimes;
  /** How long lines are gathered, in milliseconds. Default: a second. */
  readonly gathering?: number;
  /** How long a syslog connection must stay whole for what was sent to count as arrived, in milliseconds. Default: five seconds. */
  readonly settling?: number;
}

/** What was sent to one target since the agent was started. */
export interface TargetCounts {
  readonly target: string;
  /** That were taken over by the receiver, as far as the protocol tells. */
  readonly lines: number;
  readonly bytes: number;
  /** Lines that the receiver did not want. */
  readonly dropped_lines: number;
  /** What was removed before it could be sent, as far as it is known how much that was. */
  readonly skipped_bytes: number;
  readonly failures: number;
  /** How much is kept that has not arrived. */
  readonly lag_bytes: number;
  /** Milliseconds since the epoch; null: never. */
  readonly last_success_at: number | null;
}

/** How often a try has failed in a row before somebody is told: a receiver may be started again. */
const toldAfter = 3;
/** How long a kind of trouble is not told again, in milliseconds. */
const quiet = 60_000;
/** How long the removal of a service waits for its last lines to be sent, in milliseconds. */
const longestFarewell = 2_000;
/** How many kinds of trouble are remembered. */
const mostTold = 1_000;
/** When what could not be read at the begin is tried again, in milliseconds. */
const triedAgainAfter = 10_000;

/** One place where the output of services is sent on: whose, how far it has got, and how it fares. */
export class Target {
  readonly config: LogForwardingConfig;
  readonly #options: TargetOptions;
  readonly #pump: Pump;
  readonly #sources = new Map<string, Source>();
  readonly #told = new Map<string, number>();
  #isTakenUp = false;
  #failing: string | null = null;
  #counts = { lines: 0, bytes: 0, dropped_lines: 0, skipped_bytes: 0, failures: 0 };
  #lastSuccessAt: number | null = null;
  #begun: Promise<void> = Promise.resolve();
  #tryLater: NodeJS.Timeout | undefined;

  constructor(options: TargetOptions) {
    this.config = options.config;
    this.#options = options;
    this.#pump = this.#makePump();
    this.#takeUp();
  }

  /** What somebody should know; null: nothing. */
  get warning(): string | null {
    return this.#failing && `logs cannot be forwarded to "${this.config.name}": ${this.#failing}`;
  }

  get counts(): TargetCounts {
    const { feed } = this.#options;
    const sources = this.#sources;
    return {
      target: this.config.name,
      ...this.#counts,
      last_success_at: this.#lastSuccessAt,
      // It costs something where there are many services.
      get lag_bytes() {
        return [...sources.values()].reduce(
          (sum, { service, kept }) => sum + feed.bytesAfter(service, kept),
          0,
        );
      },
    };
  }

  /** A service may have written more. */
  noteNews(service: string): void {
    // Until then it is not known where those begin that were there before.
    if (!this.#isTakenUp) return;
    const known = this.#sources.get(service);
    if (known === undefined && !this.#takes(service)) return;
    this.#pump.add(known ?? this.#addSource(service, this.#options.feed.begin(service)));
  }

  /** Sends what is left of a service that is being removed, as far as that is soon done. */
  async bidFarewell(service: string): Promise<void> {
    const source = this.#sources.get(service);
    if (source === undefined || !this.#isTakenUp) return;
    this.#pump.add(source);
    await this.#pump.settled(source, longestFarewell);
  }

  /** Forgets a service whose output is gone. */
  forget(service: string): void {
    const source = this.#sources.get(service);
    if (source === undefined) return;
    this.#sources.delete(service);
    this.#pump.remove(source);
    this.#options.positions.note(this.config.name, service, null);
    // Another service may get this name at once, and begins anew.
    this.#options.positions.flush();
  }

  /** Ends what is under way; what has not arrived is sent by whoever takes its place. */
  async close(): Promise<void> {
    clearTimeout(this.#tryLater);
    await this.#begun;
    clearTimeout(this.#tryLater);
    await this.#pump.close();
    this.#options.positions.flush();
  }

  /** As `close`, for good: what fails with it is over. */
  async retire(): Promise<void> {
    await this.close();
    if (this.#failing !== null) this.#options.onFailing(this.config.name, null);
  }

  /** Learns how far everything has got, and tries that again when it cannot be read. */
  #takeUp(): void {
    this.#begun = this.#learnPlaces().catch((error: unknown) => {
      this.#tell('places', `logs are not forwarded to "${this.config.name}" yet: ${errorMessage(error)}`);
      this.#tryLater = setTimeout(() => this.#takeUp(), triedAgainAfter).unref();
    });
  }

  async #learnPlaces(): Promise<void> {
    const { feed, positions, exists } = this.#options;
    const { name, services } = this.config;
    const before = positions.of(name);
    for (const service of feed.services().filter((each) => this.#takes(each)))
      this.#addSource(service, before.places.get(service) ?? (await this.#beginOf(service, before)));
    for (const service of before.places.keys())
      if (!this.#sources.has(service) && !(this.#takes(service) && exists(service)))
        positions.note(name, service, null);
    for (const { service, kept } of this.#sources.values()) positions.note(name, service, () => kept);
    positions.noteServices(name, services);
    positions.flush();
    this.#isTakenUp = true;
    for (const service of feed.services()) this.noteNews(service);
  }

  /** Of a service without a place: what has come since the target was looked at last is new, all else was there before. */
  async #beginOf(service: string, { services }: TargetPositions) {
    const { feed } = this.#options;
    const isNew = services?.some((glob) => matchesGlob(glob, service)) ?? false;
    return isNew || this.config.from === 'beginning' ? feed.begin(service) : await feed.end(service);
  }

  #addSource(service: string, place: Source['kept']): Source {
    const source = new Source(service, place);
    this.#sources.set(service, source);
    return source;
  }

  #takes(service: string): boolean {
    return this.config.services.some((glob) => matchesGlob(glob, service));
  }

  #makePump(): Pump {
    const { feed, positions, backoff = { first: 500, longest: 10_000 }, gathering = 1_000 } = this.#options;
    const { name } = this.config;
    return new Pump({
      feed,
      backoff,
      gathering,
      receiver: (events) => this.#makeReceiver(events),
      onKept: (source) => positions.note(name, source.service, () => source.kept),
      onSent: (lines, bytes) => {
        this.#counts.lines += lines;
        this.#counts.bytes += bytes;
      },
      onDropped: (service, why) => {
        this.#counts.dropped_lines += 1;
        this.#tell(
          `dropped ${service}`,
          `"${name}" does not take a line of "${service}", which is left out: ${why}`,
        );
      },
      onSkipped: (service, bytes) => {
        this.#counts.skipped_bytes += bytes ?? 0;
        const what = bytes === null ? 'output' : `${bytes} bytes of the output`;
        this.#tell(
          `skipped ${service}`,
          `${what} of "${service}" was removed before it could be forwarded to "${name}"`,
        );
      },
      onUnreadable: (service, error) =>
        this.#tell(
          `unreadable ${service}`,
          `the output of "${service}" cannot be read to be forwarded, it is tried again: ${errorMessage(error)}`,
        ),
      onFailed: (message, failures) => this.#noteFailure(message, failures),
      onArrived: () => this.#noteSuccess(),
    });
  }

  #makeReceiver(events: ReceiverEvents) {
    const { config } = this;
    return config.type === 'http'
      ? new HttpReceiver(config, hostname(), events)
      : new SyslogReceiver(config, hostname(), events, this.#options.settling);
  }

  #noteFailure(message: string, failures: number): void {
    this.#counts.failures += 1;
    if (failures < toldAfter) return;
    const isFirst = this.#failing === null;
    this.#failing = message;
    if (isFirst) this.#options.onProblem(`${this.warning}; it is tried again`);
    this.#options.onFailing(this.config.name, message);
  }

  #noteSuccess(): void {
    this.#lastSuccessAt = Date.now();
    if (this.#failing === null) return;
    this.#failing = null;
    this.#options.onProblem(`logs are forwarded to "${this.config.name}" again`);
    this.#options.onFailing(this.config.name, null);
  }

  /** Tells each kind of trouble once a minute. */
  #tell(kind: string, message: string): void {
    const now = performance.now();
    if (now - (this.#told.get(kind) ?? Number.NEGATIVE_INFINITY) < quiet) return;
    if (this.#told.size >= mostTold) this.#told.clear();
    this.#told.set(kind, now);
    this.#options.onProblem(message);
  }
}
