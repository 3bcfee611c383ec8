import type { DatabaseSync } from 'node:sqlite';
import { isDeepStrictEqual } from 'node:util';
import type { LogForwardingConfig } from '../config/log_forwarding.ts';
import type { BackoffTimes } from '../lib/backoff.ts';
import { errorMessage } from '../lib/errors.ts';
import type { LogFeed } from '../logs/log_feed.ts';
import { Positions } from './positions.ts';
import { Target, type TargetCounts } from './target.ts';

export interface LogForwardingOptions {
  readonly database: DatabaseSync;
  readonly feed: LogFeed;
  /** As they are now: they may change while the agent runs. */
  readonly settings: () => readonly LogForwardingConfig[];
  /** Whether there is such a service. */
  readonly exists: (service: string) => boolean;
  /** Nothing has arrived at a target for some time, with what is wrong; null: that is over. */
  readonly onFailing: (target: string, message: string | null) => void;
  readonly onProblem: (message: string) => void;
  readonly backoff?: BackoffTimes;
  readonly gathering?: number;
  readonly settling?: number;
}

/**
 * Sends the output of services on. Nothing is kept for it but how far each has got: the output itself is on the disk already, is
 * read when it can be sent, and stays as long as retention lets it.
 */
export class LogForwarding {
  readonly #options: LogForwardingOptions;
  readonly #positions: Positions;
  readonly #targets = new Map<string, Target>();
  #stopListening: () => void = () => undefined;
  #changes: Promise<void> = Promise.resolve();
  #isBegun = false;
  #isClosed = false;

  constructor(options: LogForwardingOptions) {
    this.#options = options;
    this.#positions = new Positions(options.database, options.onProblem);
  }

  /** What somebody should know, in sentences. */
  get warnings(): string[] {
    return [...this.#targets.values()].flatMap(({ warning }) => warning ?? []);
  }

  /** What was sent since the agent was started. */
  counts(): TargetCounts[] {
    return [...this.#targets.values()].map(({ counts }) => counts);
  }

  /** Begins to send. To be called when what runs has been taken up. */
  begin(): void {
    this.#isBegun = true;
    this.#stopListening = this.#options.feed.listen({
      onNews: (service) => this.#each((target) => target.noteNews(service)),
      onRemoval: async (service) => {
        const farewells = [...this.#targets.values()].map((target) => target.bidFarewell(service));
        await Promise.all(farewells).catch((error: unknown) => this.#tell(error));
      },
      onRemoved: (service) => this.#each((target) => target.forget(service)),
    });
    this.reload();
  }

  /** Ends targets that are gone or others, and begins those that are new; the rest goes on. */
  reload(): void {
    if (!this.#isBegun) return;
    this.#changes = this.#changes.then(() => this.#change()).catch((error: unknown) => this.#tell(error));
  }

  /** Ends what is under way; what has not arrived is sent by the next agent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopListening();
    await this.#changes;
    await Promise.allSettled([...this.#targets.values()].map((target) => target.close()));
    this.#positions.close();
  }

  async #change(): Promise<void> {
    const wanted = this.#options.settings();
    const others = [...this.#targets].filter(
      ([name, { config }]) => !wanted.some((each) => each.name === name && isDeepStrictEqual(each, config)),
    );
    await Promise.all(
      others.map(async ([name, target]) => {
        await target.retire();
        this.#targets.delete(name);
      }),
    );
    if (this.#isClosed) return;
    this.#positions.keepOnly(wanted.map(({ name }) => name));
    for (const config of wanted)
      if (!this.#targets.has(config.name))
        this.#targets.set(config.name, new Target({ ...this.#options, config, positions: this.#positions }));
  }

  #each(work: (target: Target) => void): void {
    for (const target of this.#targets.values()) {
      try {
        work(target);
      } catch (error) {
        // Whoever tells of news is the capture, which is not to be disturbed.
        this.#tell(error);
      }
    }
  }

  #tell(error: unknown): void {
    this.#options.onProblem(`log forwarding: ${errorMessage(error)}`);
  }
}
