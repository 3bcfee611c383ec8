import { finding, type Look, nothing } from './finding.ts';

/** How long it is told after the last time, in milliseconds. */
const toldFor = 3_600_000;
/** Of how many services it is remembered; there are no more that write so much. */
const mostServices = 10_000;

/** Whose output had to be removed before its time, and when last. */
export class LogShortage {
  readonly #at = new Map<string, { readonly first: number; readonly last: number; readonly why: string }>();

  /** @param why as the rest of a sentence that begins with the service */
  note(service: string, why: string, now: number): void {
    const known = this.#at.get(service);
    const goesOn = known !== undefined && now - known.last < toldFor;
    if (known === undefined && this.#at.size >= mostServices) return;
    this.#at.set(service, { first: goesOn ? known.first : now, last: now, why });
  }

  look(service: string, now: number): Look {
    const known = this.#at.get(service);
    if (known === undefined) return nothing;
    if (now - known.last >= toldFor) {
      this.#at.delete(service);
      return nothing;
    }
    const found = finding({ summary: `output of ${service} was removed: ${known.why}`, since: known.first });
    return { findings: [found], again_at: known.last + toldFor };
  }

  forget(service: string): void {
    this.#at.delete(service);
  }
}
