import { finding, type Look } from './finding.ts';

/** How many receivers are remembered; the configuration and the API allow fewer. */
const most = 1_000;

/** Which receivers cannot be told, and why. */
export class DeliveryFailures {
  readonly #failing = new Map<string, string>();

  /** @param message null: it works again. Returns whether that is news. */
  note(subject: string, message: string | null): boolean {
    const known = this.#failing.has(subject);
    if (message === null) return this.#failing.delete(subject);
    if (!known && this.#failing.size >= most) return false;
    this.#failing.set(subject, message);
    return !known;
  }

  look(): Look {
    const findings = [...this.#failing].map(([subject, message]) =>
      finding({ subject, summary: `${subject} cannot be delivered to: ${message}` }),
    );
    return { findings, again_at: null };
  }
}
