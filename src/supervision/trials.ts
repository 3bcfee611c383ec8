import type { Spec } from '../contract/spec.ts';
import { DavitError } from '../lib/errors.ts';
import { milliseconds } from '../lib/units.ts';
import { isReady, type LastExit } from '../services/instance.ts';
import type { Registry } from '../services/registry.ts';
import { type OutputStore, shownLines } from './output.ts';
import type { RunningInstance } from './running_instance.ts';

interface TrialsParts {
  readonly registry: Registry;
  readonly output: OutputStore;
  /** What the last failed probe of an instance said. */
  readonly lastFailedProbe: (service: string, number: number) => string | null;
}

/** Whether instances that were started prove themselves: somebody waits for them to be up and ready. */
export class Trials {
  readonly #parts: TrialsParts;

  constructor(parts: TrialsParts) {
    this.#parts = parts;
  }

  /** What becomes of it first: it is ready, it takes too long, or it ends. `signal` ends the wait. */
  async outcome(
    instance: RunningInstance,
    spec: Spec,
    signal?: AbortSignal,
  ): Promise<'ready' | 'late' | 'ended'> {
    const { service, number } = instance;
    const { registry } = this.#parts;
    const longest = milliseconds(spec.min_uptime) + milliseconds(spec.rollout.ready_timeout);
    const { promise, resolve } = Promise.withResolvers<'ready' | 'late' | 'ended'>();
    const look = () => {
      const record = registry.instance(service, number);
      if (isReady(record)) resolve('ready');
      else if (record.liveness === 'unhealthy' || signal?.aborted) resolve('late');
    };
    const unsubscribe = registry.subscribe((id) => id === service && look());
    const timer = setTimeout(() => resolve('late'), longest);
    void instance.ended.then(() => resolve('ended'));
    signal?.addEventListener('abort', look);
    look();
    const outcome = await promise;
    unsubscribe();
    signal?.removeEventListener('abort', look);
    clearTimeout(timer);
    return outcome;
  }

  /** It has ended too soon: with its exit code and the last lines that it wrote. */
  async exitedEarly(
    { service, run }: RunningInstance,
    { return_code, signal, message }: LastExit,
  ): Promise<DavitError> {
    const last_lines = await this.#parts.output.tail(service, run, shownLines);
    const sentence = `service "${service}" did not stay up: ${message.toLowerCase()}`;
    return new DavitError('exited_early', sentence, { fields: { return_code, signal, last_lines } });
  }

  /** It is up, and takes too long to be ready: with what is missing, what the last probe said, and its last lines. */
  async notReady({ service, number, run }: RunningInstance, timeout: string): Promise<DavitError> {
    const { output, registry } = this.#parts;
    const last_lines = await output.tail(service, run, shownLines);
    const { readiness, liveness, has_logged_ready } = registry.instance(service, number);
    const last_probe = this.#parts.lastFailedProbe(service, number);
    const missing = [
      ...(readiness !== null && readiness !== 'healthy' ? ['its readiness probe fails'] : []),
      ...(liveness !== null && liveness !== 'healthy' ? ['its liveness probe fails'] : []),
      ...(has_logged_ready === false ? ['no line of its output says that it is ready'] : []),
    ].join(', ');
    const probe = last_probe === null ? '' : `: ${last_probe}`;
    const what = liveness === 'unhealthy' ? 'is not well' : `was not ready within ${timeout}`;
    const sentence = `service "${service}" ${what}: ${missing}${probe}`;
    return new DavitError('not_ready', sentence, { fields: { last_lines } });
  }
}
