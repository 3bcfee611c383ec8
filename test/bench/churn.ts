import { setTimeout as sleep } from 'node:timers/promises';
import type { DavitAgent } from './peers/davit_agent.ts';

const operations = ['deploy', 'restart', 'stop'] as const;

/** Deploys, restarts and stops services at random, one operation after another, while the agent comes and goes. */
export class Churn {
  readonly #agent: DavitAgent;
  readonly #services: readonly string[];
  readonly #spec: (service: string) => unknown;
  readonly #refusals = new Map<string, number>();
  #done: Promise<void> = Promise.resolve();
  #isStopped = false;
  #answered = 0;
  #cutShort = 0;

  constructor(agent: DavitAgent, services: readonly string[], spec: (service: string) => unknown) {
    this.#agent = agent;
    this.#services = services;
    this.#spec = spec;
  }

  start(): void {
    this.#done = this.#run();
  }

  /** How many operations were answered well, and how many got no answer because the agent was not there. */
  get counts(): { readonly answered: number; readonly cutShort: number } {
    return { answered: this.#answered, cutShort: this.#cutShort };
  }

  /** How often which error was answered. */
  get refusals(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#refusals);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      try {
        await this.#operate();
      } catch {
        this.#cutShort += 1;
        await sleep(20);
      }
    }
  }

  async #operate(): Promise<void> {
    const service = pick(this.#services);
    const operation = pick(operations);
    const content = operation === 'deploy' ? this.#spec(service) : {};
    const { status, body } = await this.#agent.ask('POST', `/service/${service}/${operation}`, content);
    if (status === 200) {
      this.#answered += 1;
      return;
    }
    const error = `${operation}: ${status} ${(body as { error?: string }).error ?? ''}`.replaceAll(
      service,
      '…',
    );
    this.#refusals.set(error, (this.#refusals.get(error) ?? 0) + 1);
  }
}

function pick<T>(list: readonly [T, ...T[]] | readonly T[]): T {
  const found = list[Math.floor(Math.random() * list.length)];
  if (found === undefined) throw new RangeError('nothing to pick from');
  return found;
}
