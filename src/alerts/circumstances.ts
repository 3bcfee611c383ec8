import { errorMessage } from '../lib/errors.ts';
import type { EventLog } from '../services/event_log.ts';
import type { Registry } from '../services/registry.ts';
import type { Why } from '../supervision/why.ts';
import type { AlertRecord, Circumstances } from './alert_record.ts';

/** The same lines without the secrets of a service, and without what looks like one. */
export type Redact = (service: string | null, lines: readonly string[]) => string[];

interface CircumstancesOptions {
  readonly why: Pick<Why, 'tell'>;
  readonly registry: Pick<Registry, 'find'>;
  readonly events: Pick<EventLog, 'find'>;
  /** The services on which one depends. */
  readonly dependenciesOf: (service: string) => ReadonlySet<string>;
  readonly redact: Redact;
  readonly onProblem: (message: string) => void;
}

/** How many sentences and lines are told, and how much of each, in UTF-16 units. */
const mostSentences = 20;
const mostLines = 10;
const longestText = 500;
/** How many services are asked at once: when everything fails, the disk has other work. */
const atOnce = 4;
/** How many wait to be asked; what is beyond is told without. */
const mostWaiting = 500;

/** Finds out what led to alerts, and what their services wrote last, a few at a time. */
export class CircumstancesOf {
  readonly #options: CircumstancesOptions;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(options: CircumstancesOptions) {
    this.#options = options;
  }

  /** Never throws: what cannot be found out is left out. */
  async gather(record: AlertRecord): Promise<Circumstances> {
    if (this.#waiting.length >= mostWaiting) return this.#ofEvent(record);
    if (this.#running >= atOnce) await new Promise<void>((resume) => this.#waiting.push(resume));
    this.#running += 1;
    try {
      return await this.#gather(record);
    } catch (error) {
      this.#options.onProblem(`what led to alert ${record.id} cannot be told: ${errorMessage(error)}`);
      return this.#ofEvent(record);
    } finally {
      this.#running -= 1;
      this.#waiting.shift()?.();
    }
  }

  async #gather(record: AlertRecord): Promise<Circumstances> {
    const { why, registry, dependenciesOf, redact } = this.#options;
    const { service } = record;
    if (service === null || registry.find(service) === null) return this.#ofEvent(record);
    const needed = dependenciesOf(service);
    const instance = registry.find(service)?.instances.some(({ number }) => number === record.instance)
      ? record.instance
      : null;
    const { chain, last_lines } = await why.tell(service, {
      instance,
      limit: mostSentences,
      lines: mostLines,
      maySee: (other) => other !== null && (other === service || needed.has(other)),
    });
    const lines = (last_lines ?? []).map(({ line }) => line);
    return {
      why: chain.map(({ event, sentence }) => ({
        service: event.service,
        sentence: this.#text(event.service, sentence),
      })),
      last_lines: redact(service, lines).map((line) => line.slice(0, longestText)),
    };
  }

  #ofEvent({ event }: AlertRecord): Circumstances {
    const found = event === null ? null : this.#options.events.find(event);
    if (found === null) return { why: [], last_lines: [] };
    const { service, message } = found;
    return { why: [{ service, sentence: this.#text(service, message) }], last_lines: [] };
  }

  #text(service: string | null, text: string): string {
    return (this.#options.redact(service, [text])[0] ?? '').slice(0, longestText);
  }
}
