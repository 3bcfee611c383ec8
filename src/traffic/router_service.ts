import { setTimeout as sleep } from 'node:timers/promises';
import { type Spec, spec } from '../contract/spec.ts';
import { errorMessage } from '../lib/errors.ts';
import { ownCommand } from '../lib/own_command.ts';
import { milliseconds } from '../lib/units.ts';
import { commit, version } from '../lib/version.ts';

/** The service that the routers are; its id is reserved. */
export const routerServiceId = 'davit.router';

/** What of the settings says which routers there are. */
export interface WantedRouters {
  readonly processes: number;
  /** As a duration. */
  readonly drain_timeout: string;
}

export interface RouterServiceOptions {
  /** The folder in which routers find the agent and keep the table. */
  readonly directory: string;
  /** As it is now; null: there are to be none. */
  readonly wanted: () => WantedRouters | null;
  /** Makes a service of the agent's own be as the spec says, whatever there is of it. */
  readonly keepOwn: (id: string, spec: Spec) => Promise<unknown>;
  /** Stops and forgets it, if there is one. */
  readonly endOwn: (id: string) => Promise<unknown>;
  readonly onProblem: (message: string) => void;
}

/** Milliseconds until it is tried again to bring routers about: the first time, and at most. */
const firstWait = 2_000;
const longestWait = 60_000;
/** What a router gets beyond its time to drain until it is killed, in milliseconds. */
const stopMargin = 10_000;

/** Has the routers run as a service like any other: the next agent adopts them, and a newer davit replaces them one by one. */
export class RouterService {
  readonly #options: RouterServiceOptions;
  readonly #end = new AbortController();
  #work: Promise<void> = Promise.resolve();
  #change = new AbortController();

  constructor(options: RouterServiceOptions) {
    this.#options = options;
  }

  /** Brings about what is wanted now, and tries until that is done or something else is wanted. */
  look(): void {
    this.#change.abort();
    this.#change = new AbortController();
    const { signal } = this.#change;
    this.#work = this.#work.then(() => this.#bringAbout(AbortSignal.any([signal, this.#end.signal])));
  }

  /** Tries no more. Routers stay. */
  close(): void {
    this.#end.abort();
  }

  async #bringAbout(signal: AbortSignal): Promise<void> {
    for (let wait = firstWait; !signal.aborted; wait = Math.min(wait * 2, longestWait)) {
      try {
        await this.#try();
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.#options.onProblem(
          `the routers are not as they are wanted: ${errorMessage(error)}; tried again in ${wait / 1_000} s`,
        );
        await sleep(wait, undefined, { signal, ref: false }).catch(() => {});
      }
    }
  }

  async #try(): Promise<void> {
    const { wanted, keepOwn, endOwn, directory } = this.#options;
    const routers = wanted();
    if (routers === null) await endOwn(routerServiceId);
    else await keepOwn(routerServiceId, routerSpec(directory, routers));
  }
}

/** What the service of the routers is. A davit of another build makes it another one. */
function routerSpec(directory: string, { processes, drain_timeout }: WantedRouters): Spec {
  return spec.parse({
    command: [...ownCommand(), 'router', '--directory', directory],
    env: { DAVIT_ROUTER_BUILD: `${version} ${commit}` },
    instances: processes,
    min_uptime: '0s',
    ready_log: '"msg":"routing',
    restart: {
      policy: 'always',
      backoff: { initial: '100ms', max: '5s' },
      limit: { count: 'unlimited' },
    },
    stop: { signal: 'SIGTERM', timeout: `${milliseconds(drain_timeout) + stopMargin}ms` },
    rollout: { strategy: 'rolling', max_surge: processes },
  });
}
