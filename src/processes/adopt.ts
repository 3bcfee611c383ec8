import { isGone } from './descendants.ts';
import { isAlive, type ProcessIdentity } from './identity.ts';
import type { ExitStatus, LaunchedProcess } from './launch.ts';

/** How often adopted processes are looked at, in milliseconds. */
const interval = 1_000;

/**
 * Takes up processes that an earlier agent started. They are not our children: the system tells us neither that they end
 * nor how, so they are looked at once a second.
 */
export class Adoption {
  readonly #waiting = new Map<ProcessIdentity, (status: ExitStatus) => void>();
  #timer: NodeJS.Timeout | undefined;

  /** Null when it cannot be proved that this very process is alive. */
  adopt(identity: ProcessIdentity): LaunchedProcess | null {
    if (identity.start_ticks === '' || !isAlive(identity)) return null;
    const { promise, resolve } = Promise.withResolvers<ExitStatus>();
    this.#waiting.set(identity, resolve);
    this.#timer ??= setInterval(() => this.look(), interval).unref();
    return { identity, exited: promise };
  }

  /** Looks at once: who has just ended one of them need not wait for the next time. */
  look(): void {
    for (const [identity, resolve] of this.#waiting) {
      if (!isGone(identity)) continue;
      this.#waiting.delete(identity);
      resolve({ return_code: null, signal: null });
    }
    if (this.#waiting.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
