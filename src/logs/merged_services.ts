import type { MergedLine } from '../contract/merged_logs.ts';
import type { ServiceLines } from './service_lines.ts';

/** Of so many services lines are read at a time: each may have many files open for that. */
const readAtOnce = 8;

/**
 * The lines of several services as one sequence, by time, and at the same time by the order of the services. Lines of
 * one service are never put in another order, also where its clock was set back.
 */
export class MergedServices {
  readonly services: readonly ServiceLines[];
  readonly #isForward: boolean;

  constructor(services: readonly ServiceLines[], isForward: boolean) {
    this.services = services;
    this.#isForward = isForward;
  }

  /** The next line; null when there is none, undefined when more has to be read first, by `fill`. */
  next(): MergedLine | null | undefined {
    const best = this.#best();
    if (!best?.line) return best === undefined ? undefined : null;
    const { line, service } = best;
    best.drop();
    return { service, ...line };
  }

  /** Whether there is a line, as far as is known; undefined when more has to be read first. */
  get hasNext(): boolean | undefined {
    const best = this.#best();
    return best === undefined ? undefined : best !== null;
  }

  /** Reads once of each service whose next line is not known. */
  async fill(): Promise<void> {
    const dry = this.services.filter(({ line }) => line === undefined);
    for (let from = 0; from < dry.length; from += readAtOnce)
      await Promise.all(dry.slice(from, from + readAtOnce).map((service) => service.fill()));
  }

  #best(): ServiceLines | null | undefined {
    let best: ServiceLines | null = null;
    for (const service of this.services) {
      if (service.line === undefined) return undefined;
      if (service.line !== null && (best === null || this.#isBefore(service, best))) best = service;
    }
    return best;
  }

  /** Times are texts of one length, which compare as times do. */
  #isBefore({ line: one }: ServiceLines, { line: other }: ServiceLines): boolean {
    if (!one || !other) return false;
    return this.#isForward ? one.time < other.time : one.time >= other.time;
  }
}
