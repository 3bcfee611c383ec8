import { existsSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { errorMessage, systemErrorCode } from '../lib/errors.ts';
import type { Catalog } from './catalog.ts';
import { compressRun, isCompressible } from './compression.ts';
import { cutToAge, cutToSize, removeRun } from './removal.ts';
import { chooseOfHost, chooseOfService, type Retention, type Step } from './retention.ts';
import type { Run } from './run.ts';

export interface KeeperOptions {
  readonly catalog: Catalog;
  /** How much of a service's output is kept; null when there is no such service any more. */
  readonly retentionOf: (service: string) => Retention | null;
  /** How many bytes all services together may keep. */
  readonly maxBytes: () => number;
  /** Told when output of a service goes to make room, and why: as the rest of a sentence. */
  readonly onShortened: (service: string, why: string) => void;
  readonly onProblem: (service: string, message: string) => void;
  /** How long a run must not have been written to before it is compressed, in milliseconds. */
  readonly quietTime: number;
}

/** How often age and quota are looked at, in milliseconds. */
const sweepInterval = 10_000;
/** What is too old is given back when it is this part of the age too old, so that not every second costs a cut. */
const ageSlack = 0.05;

/** Keeps the output of all services within what is allowed, and compresses what has ended. */
export class Keeper {
  readonly #options: KeeperOptions;
  readonly #trimming = new Map<string, Promise<void>>();
  readonly #end = new AbortController();
  /** Until when each live run has been cut by age. */
  readonly #cutTo = new WeakMap<Run, number>();
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> | null = null;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** To be called when all that lives has been taken up: what is not known to live then has ended. */
  start(): void {
    this.#timer = setInterval(() => void this.sweep(), sweepInterval).unref();
    void this.sweep();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#end.abort();
  }

  /** Looks after a service that has grown, if it holds too much. */
  noteGrowth(service: string): void {
    if (this.#trimming.has(service)) return;
    try {
      const retention = this.#options.retentionOf(service);
      const held = this.#options.catalog.of(service).reduce((sum, { bytes }) => sum + bytes, 0);
      if (retention !== null && held > retention.max_bytes) void this.trim(service);
    } catch (error) {
      this.#tell(service, error);
    }
  }

  /** Looks after everything once; one call does while another is under way. */
  sweep(): Promise<void> {
    this.#sweeping ??= this.#sweep()
      .catch((error: unknown) => this.#tell('', error))
      .finally(() => {
        this.#sweeping = null;
      });
    return this.#sweeping;
  }

  /** Holds one service to what it may keep; one call does while another is under way. */
  trim(service: string): Promise<void> {
    const known = this.#trimming.get(service);
    if (known !== undefined) return known;
    const trimming = this.#trim(service)
      .catch((error: unknown) => this.#tell(service, error))
      .finally(() => this.#trimming.delete(service));
    this.#trimming.set(service, trimming);
    return trimming;
  }

  async #trim(service: string): Promise<void> {
    const { catalog, retentionOf } = this.#options;
    const retention = retentionOf(service);
    if (retention === null) return;
    const now = Date.now();
    const steps = chooseOfService(catalog.of(service), retention, now);
    // What is too old or of too many releases goes at its time.
    const inTime = chooseOfService(catalog.of(service), { ...retention, max_bytes: Infinity }, now);
    if (steps.length > inTime.length)
      this.#options.onShortened(service, `it may keep ${megabytes(retention.max_bytes)}`);
    await this.#act(service, steps);
    if (retention.max_age_ms !== null) await this.#age(service, retention.max_age_ms, now);
  }

  async #sweep(): Promise<void> {
    for (const service of this.#options.catalog.services()) {
      if (this.#end.signal.aborted) return;
      await this.trim(service);
      await nextTurn();
    }
    await this.#holdQuota();
    await this.#compress();
  }

  async #holdQuota(): Promise<void> {
    const { catalog, maxBytes } = this.#options;
    const services = new Map<Run, string>();
    for (const service of catalog.services())
      for (const run of catalog.of(service)) services.set(run, service);
    for (const step of chooseOfHost([...services.keys()], maxBytes())) {
      const service = services.get(step.run) ?? '';
      this.#options.onShortened(service, `all services together may keep ${megabytes(maxBytes())}`);
      await this.#act(service, [step]);
    }
  }

  async #act(service: string, steps: readonly Step<Run>[]): Promise<void> {
    for (const { run, ...step } of steps) {
      if (this.#end.signal.aborted || run.isBusy || run.isRemoved) continue;
      await this.#alone(service, run, async () => {
        if (step.kind === 'remove') removeRun(run);
        else await cutToSize(run, step.keep);
      });
    }
    this.#options.catalog.sweep(service);
  }

  async #age(service: string, maxAge: number, now: number): Promise<void> {
    for (const run of this.#options.catalog.of(service)) {
      const since = Math.max(run.startedAt, this.#cutTo.get(run) ?? 0);
      if (run.isBusy || since >= now - maxAge * (1 + ageSlack)) continue;
      this.#cutTo.set(run, now - maxAge);
      await this.#alone(service, run, () => cutToAge(run, now - maxAge));
    }
  }

  async #compress(): Promise<void> {
    const { catalog, retentionOf } = this.#options;
    for (const service of catalog.services()) {
      if (retentionOf(service)?.compress === false) continue;
      await nextTurn();
      for (const run of catalog.of(service)) {
        if (this.#end.signal.aborted) return;
        if (!this.#mayCompress(run)) continue;
        if (isCompressible(run)) await this.#alone(service, run, () => compressRun(run, this.#end.signal));
        else run.isSettled = true;
      }
    }
  }

  #mayCompress(run: Run): boolean {
    const isQuiet = run.endedAt <= Date.now() - this.#options.quietTime;
    return !run.isLive && !run.isRemoved && !run.isBusy && !run.isSettled && isQuiet;
  }

  /** Does something with a run's files while nobody else does. */
  async #alone(service: string, run: Run, work: () => Promise<void>): Promise<void> {
    run.isBusy = true;
    try {
      await work();
    } catch (error) {
      // The service may have been deleted meanwhile.
      if (systemErrorCode(error) !== 'ENOENT' && existsSync(run.files.folder)) this.#tell(service, error);
    } finally {
      run.isBusy = false;
      if (!run.isLive && !run.isRemoved) run.measure();
    }
  }

  #tell(service: string, error: unknown): void {
    const whose = service === '' ? 'the logs' : `the logs of "${service}"`;
    this.#options.onProblem(service, `${whose} cannot be trimmed: ${errorMessage(error)}`);
  }
}

function megabytes(bytes: number): string {
  return `${Number((bytes / 1e6).toPrecision(3))} MB`;
}
