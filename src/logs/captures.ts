import { EventEmitter } from 'node:events';
import type { RunCapture } from './run_capture.ts';

/** How often files that are written to are looked at, in milliseconds. */
const lookInterval = 100;
/** Where more than so many are written to, each is looked at only every second time and, beyond twice as many, every third. */
const fewCaptures = 100;
const rarestLook = 3;

/** The runs that are written, each looked at while it grows, and who waits for more of them. */
export class Captures {
  readonly #live = new Set<RunCapture>();
  readonly #awake = new Set<RunCapture>();
  readonly #growth = new EventEmitter().setMaxListeners(0);
  readonly #counts = new Map<string, number>();
  readonly #subscribers = new Set<(service: string) => void>();
  readonly #onGrowth: (service: string) => void;
  #timer: NodeJS.Timeout | undefined;
  #rounds = 0;

  /** @param onGrowth told of each service of which more has been written */
  constructor(onGrowth: (service: string) => void) {
    this.#onGrowth = onGrowth;
  }

  /** From now on a new run is looked at. */
  add(capture: RunCapture): void {
    this.#live.add(capture);
    this.#keepAwake(capture);
    this.#tell(capture.service);
  }

  /** Takes the last note of a run, of which nothing more comes. */
  end(capture: RunCapture): void {
    this.#live.delete(capture);
    this.#awake.delete(capture);
    capture.close();
    this.#tell(capture.service);
  }

  /** Looks at a run now, and again until it is quiet. */
  look(capture: RunCapture): void {
    this.#keepAwake(capture);
    this.#lookAt([capture]);
  }

  /** Calls `listener` whenever a service has grown, or a run of it has begun or ended, until the returned function is called. */
  subscribe(listener: (service: string) => void): () => void {
    this.#subscribers.add(listener);
    return () => this.#subscribers.delete(listener);
  }

  /** How often a service has grown: what has been read to its end has no more while this stays. */
  growthOf(service: string): number {
    return this.#counts.get(service) ?? 0;
  }

  /** Resolves when a service has grown more often than that, or `signal` ends the wait. */
  async grownSince(service: string, count: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.growthOf(service) !== count) return;
    await new Promise<void>((resolve) => {
      const end = () => {
        this.#growth.off(service, end);
        signal.removeEventListener('abort', end);
        resolve();
      };
      this.#growth.on(service, end);
      signal.addEventListener('abort', end);
    });
  }

  /** Notes the sizes once more and looks no longer; what runs writes on. */
  close(): void {
    clearInterval(this.#timer);
    for (const capture of this.#live) capture.close();
    this.#live.clear();
    this.#awake.clear();
  }

  #keepAwake(capture: RunCapture): void {
    this.#awake.add(capture);
    this.#timer ??= setInterval(() => this.#lookAt(this.#due()), lookInterval).unref();
  }

  /** Those whose turn it is. A service that somebody waits for is never kept waiting. */
  #due(): RunCapture[] {
    const turns = Math.min(rarestLook, Math.ceil(this.#awake.size / fewCaptures));
    const round = this.#rounds++;
    return [...this.#awake].filter(
      ({ service }, place) => (place + round) % turns === 0 || this.#growth.listenerCount(service) > 0,
    );
  }

  #lookAt(captures: Iterable<RunCapture>): void {
    const grown = new Set<string>();
    for (const capture of captures) {
      const { hasGrown, isAwake } = capture.look();
      if (!isAwake) this.#awake.delete(capture);
      if (hasGrown) grown.add(capture.service);
    }
    if (this.#awake.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    // Who waits is told when all of its runs have been looked at.
    for (const service of grown) {
      this.#onGrowth(service);
      this.#tell(service);
    }
  }

  #tell(service: string): void {
    this.#counts.set(service, this.growthOf(service) + 1);
    this.#growth.emit(service);
    for (const listener of this.#subscribers) listener(service);
  }
}
