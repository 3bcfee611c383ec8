import type { TableService } from '../contract/routing_table.ts';
import type { Registry } from '../services/registry.ts';
import { tableService } from './table.ts';

interface Entry {
  readonly service: TableService;
  /** As JSON, which stays the same text as long as nothing of it changes. */
  readonly text: string;
}

/** What routers are to know of the services to which rules lead. Only what has changed is worked out anew. */
export class ServiceTables {
  readonly #registry: Registry;
  readonly #entries = new Map<string, Entry>();
  readonly #changed = new Set<string>();
  readonly #readyAt = new Map<string, number>();
  #wanted: ReadonlySet<string> = new Set();
  #isFirst = true;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  get services(): TableService[] {
    return [...this.#entries.values()].map(({ service }) => service);
  }

  /** The same as JSON. */
  get text(): string {
    return `[${[...this.#entries.values()].map(({ text }) => text).join(',')}]`;
  }

  has(service: string): boolean {
    return this.#wanted.has(service);
  }

  /** Something of a service has changed. */
  note(service: string): void {
    this.#changed.add(service);
  }

  /**
   * Which services there are to be. One to which rules have led stays until it is gone: connections to it may be open, and
   * those who have them must hear when it drains.
   */
  want(services: Iterable<string>): void {
    const earlier = [...this.#wanted].filter((id) => this.#registry.find(id) !== null);
    const wanted = new Set([...earlier, ...services]);
    for (const id of [...wanted, ...this.#wanted])
      if (wanted.has(id) !== this.#wanted.has(id)) this.#changed.add(id);
    this.#wanted = wanted;
  }

  /** Works out what has changed. Returns whether anything is other than before. */
  refresh(): boolean {
    let isOther = false;
    for (const id of this.#changed) {
      const before = this.#entries.get(id)?.text ?? null;
      const after = this.#make(id);
      if (after?.text === before || (after === null && before === null)) continue;
      isOther = true;
      if (after === null) this.#entries.delete(id);
      else this.#entries.set(id, after);
    }
    this.#changed.clear();
    this.#isFirst = false;
    if (isOther) this.#forgetGone();
    return isOther;
  }

  #make(id: string): Entry | null {
    const record = this.#registry.find(id);
    if (record === null || !this.#wanted.has(id)) return null;
    const service = tableService(record, {
      spec: this.#registry.spec(id),
      tagsOf: (number) => this.#registry.specOf(id, number).tags,
      readyAt: (instance, started) => this.#readySince(instance, started),
    });
    return { service, text: JSON.stringify(service) };
  }

  /** Of those that an earlier agent saw become ready only the start is known. */
  #readySince(instance: string, started: number): number {
    const known = this.#readyAt.get(instance);
    if (known !== undefined) return known;
    const since = this.#isFirst ? started : Date.now();
    this.#readyAt.set(instance, since);
    return since;
  }

  /** One that is not ready any more begins anew when it is again. */
  #forgetGone(): void {
    const present = new Set(this.services.flatMap(({ instances }) => instances.map(({ id }) => id)));
    for (const id of this.#readyAt.keys()) if (!present.has(id)) this.#readyAt.delete(id);
  }
}
