import { isGone } from './descendants.ts';
import { isAlive, type ProcessIdentity } from './identity.ts';
import type { LaunchedProcess } from './launch.ts';
import type { Lifelines } from './lifeline.ts';

/** How often processes without a lifeline are looked at, in milliseconds. */
const interval = 1_000;

/**
 * Takes up processes that an earlier agent started. They are not our children: the system tells us neither that they end
 * nor how. Their lifelines do; what has lost its lifeline is looked at once a second.
 */
export class Adoption {
  readonly #lifelines: Lifelines;
  readonly #waiting = new Map<ProcessIdentity, () => void>();
  #timer: NodeJS.Timeout | undefined;

  constructor(lifelines: Lifelines) {
    this.#lifelines = lifelines;
  }

  /** Null when it cannot be proved that this very process is alive. */
  adopt(
    identity: ProcessIdentity,
    instance: string,
  ): (LaunchedProcess & { told: Promise<number | null> }) | null {
    if (identity.start_ticks === '' || !isAlive(identity)) return null;
    const lifeline = this.#lifelines.adopt(instance);
    const ended = lifeline?.ended ?? this.#watch(identity);
    const exited = ended.then(() => this.#lifelines.notesOf(instance).exit);
    // Who is told writes it down first: what does not stand there has been told to nobody.
    const { pid } = this.#lifelines.notesOf(instance);
    const told = pid === null && lifeline ? lifeline.told : Promise.resolve(pid);
    return { identity, exited, told };
  }

  /** Looks at once: who has just ended one of them need not wait for the next time. */
  look(): void {
    for (const [identity, resolve] of this.#waiting) {
      if (!isGone(identity)) continue;
      this.#waiting.delete(identity);
      resolve();
    }
    if (this.#waiting.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #watch(identity: ProcessIdentity): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.set(identity, resolve);
    this.#timer ??= setInterval(() => this.look(), interval).unref();
    return promise;
  }
}
