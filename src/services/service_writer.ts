import { errorMessage } from '../lib/errors.ts';
import type { Service } from './service.ts';
import type { ServiceStore } from './store.ts';

/** How long to wait before a state that could not be written is written again, in milliseconds. */
const retryDelay = 1_000;

/** Writes services through to the store; what it does not take is written as soon as it takes it again. */
export class ServiceWriter {
  readonly #store: ServiceStore;
  readonly #find: (id: string) => Service | null;
  readonly #onProblem: (message: string) => void;
  readonly #unwritten = new Set<string>();
  #retry: NodeJS.Timeout | undefined;

  /** @param find a service as it is now */
  constructor(
    store: ServiceStore,
    find: (id: string) => Service | null,
    onProblem: (message: string) => void,
  ) {
    this.#store = store;
    this.#find = find;
    this.#onProblem = onProblem;
  }

  /** @param lasting whether it must be known after a power cut, with all that was written before */
  write(service: Service, lasting = false): void {
    try {
      if (lasting) this.#store.commitService(service);
      else this.#store.saveService(service);
      this.#unwritten.delete(service.id);
    } catch (error) {
      if (this.#unwritten.size === 0)
        this.#onProblem(`${errorMessage(error)}; it is kept in memory and tried again`);
      this.#unwritten.add(service.id);
      clearTimeout(this.#retry);
      this.#retry = setTimeout(() => this.#writeAgain(), retryDelay).unref();
    }
  }

  /** Nothing of it waits to be written any more. */
  forget(id: string): void {
    this.#unwritten.delete(id);
  }

  /** Ends the retries; what could not be written until now is tried once more. */
  close(): void {
    for (const service of this.#waiting()) this.write(service, true);
    clearTimeout(this.#retry);
  }

  #writeAgain(): void {
    for (const service of this.#waiting()) this.write(service);
    if (this.#unwritten.size === 0) this.#onProblem('the state can be written again');
  }

  #waiting(): Service[] {
    return [...this.#unwritten].flatMap((id) => this.#find(id) ?? []);
  }
}
