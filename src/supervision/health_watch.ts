import type { EventType } from '../contract/events.ts';
import type { Spec } from '../contract/spec.ts';
import type { HealthChange, HealthResult } from '../health/monitor.ts';
import { Monitor } from '../health/monitor.ts';
import { errorMessage } from '../lib/errors.ts';
import { fillIn } from '../processes/placeholders.ts';
import { runCommand } from '../processes/run_command.ts';
import type { Runtime } from '../processes/runtime.ts';
import type { EventLog } from '../services/event_log.ts';
import type { Registry } from '../services/registry.ts';
import type { OutputStore } from './output.ts';
import type { Programs } from './programs.ts';
import { policyOf } from './restart.ts';
import type { RunningInstance } from './running_instance.ts';

interface HealthWatchParts {
  readonly registry: Registry;
  readonly events: EventLog;
  readonly runtime: Runtime;
  readonly programs: Programs;
  readonly output: OutputStore;
  /** Told of every probe. */
  readonly onResult: (result: HealthResult) => void;
  /** An instance is to be restarted, because of the event with this id. */
  readonly onUnhealthy: (service: string, number: number, cause: number) => void;
  readonly onProblem: (message: string) => void;
}

/** How many processes of a tree are measured at most. */
const mostMeasured = 10_000;

const changeEvents: Readonly<Record<string, EventType>> = {
  'readiness healthy': 'service.ready',
  'readiness unhealthy': 'service.not_ready',
  'liveness healthy': 'service.healthy',
  'liveness unhealthy': 'service.unhealthy',
};

/** Watches whether instances are well: by their probes, and by what they write. */
export class HealthWatch {
  readonly #parts: HealthWatchParts;
  readonly monitor: Monitor;

  constructor(parts: HealthWatchParts) {
    this.#parts = parts;
    const { onResult, onProblem } = parts;
    this.monitor = new Monitor({ onChange: (change) => this.#noteChange(change), onResult, onProblem });
  }

  /** Watches an instance until it is gone. */
  watch(instance: RunningInstance, spec: Spec): void {
    if (spec.readiness !== null || spec.liveness !== null) this.#probe(instance, spec);
    if (spec.ready_log !== null) this.#awaitLine(instance, spec.ready_log);
  }

  /** What the last failed probe of an instance said; null where none has. */
  lastFailure(service: string, number: number): string | null {
    const results = this.monitor.present(service).filter(({ instance }) => instance === number);
    return results.find(({ last }) => last !== null && !last.success)?.last?.message ?? null;
  }

  close(): void {
    this.monitor.close();
  }

  #probe({ service, number, facts, unwatch, tree }: RunningInstance, spec: Spec): void {
    const { registry, programs, runtime } = this.#parts;
    const { port } = registry.instance(service, number);
    const { release, started_at } = facts;
    const order = { service, instance: number, release, port, spec };
    const values = programs.placeholders(order);
    let isAlive = true;
    void tree.exited.then(() => {
      isAlive = false;
    });
    const watch = this.monitor.watch({
      service,
      instance: number,
      started_at,
      port,
      readiness: fillIn(spec.readiness, values),
      liveness: fillIn(spec.liveness, values),
      runCommand: (command, timeout_ms, signal) =>
        runCommand(programs.beside(order, command), { timeout_ms, signal }),
      usage: async () => {
        const { processes } = await runtime.inspect(facts, mostMeasured);
        const sum = (of: (process: (typeof processes)[number]) => number) =>
          processes.reduce((total, process) => total + of(process), 0);
        return {
          resident_bytes: sum((each) => each.resident_bytes),
          cpu_seconds: sum((each) => each.cpu_seconds),
        };
      },
      isAlive: () => isAlive,
    });
    unwatch.signal.addEventListener('abort', () => watch.end());
  }

  #awaitLine({ service, number, run, unwatch }: RunningInstance, pattern: string): void {
    const { output, registry, onProblem } = this.#parts;
    const { signal } = unwatch;
    if (registry.instance(service, number).has_logged_ready === true) return;
    output.waitForLine(service, run, pattern, signal).then(
      (line) => {
        if (line === null || signal.aborted) return;
        const message = `It wrote the line that says that it is ready: ${line.slice(0, 200)}`;
        const last_event = this.#record('service.ready', service, number, message);
        registry.updateInstance(service, number, { has_logged_ready: true, last_event });
      },
      (error) => onProblem(`the output of "${service}" cannot be watched: ${errorMessage(error)}`),
    );
  }

  #noteChange({ service, instance: number, kind, verdict, previous, result }: HealthChange): void {
    const { registry, onUnhealthy } = this.#parts;
    const { process, [kind]: known } = registry.instance(service, number);
    // One that was taken up is as well as it was.
    if (known === verdict && verdict === 'healthy') return;
    const probe = process && registry.release(service, process.release).spec[kind];
    const message =
      verdict === 'healthy'
        ? `Its ${kind} probe ${previous === 'unknown' ? 'succeeds' : 'succeeds again'}: ${result.message}`
        : `Its ${kind} probe failed ${probe?.unhealthy_threshold ?? 1} times in a row: ${result.message}`;
    const type = changeEvents[`${kind} ${verdict}`] ?? 'service.unhealthy';
    const last_event = this.#record(type, service, number, message);
    const last_probe = verdict === 'unhealthy' ? result.message : null;
    registry.updateInstance(service, number, { [kind]: verdict, last_probe, last_event });
    if (kind !== 'liveness' || verdict === 'healthy' || probe?.on_unhealthy !== 'restart') return;
    if (policyOf(registry.spec(service)) !== 'never') onUnhealthy(service, number, last_event);
  }

  #record(type: EventType, service: string, number: number, message: string): number {
    const { registry, events } = this.#parts;
    const { last_event: cause, process } = registry.instance(service, number);
    const about = { service, instance: number, ...(process && { release: process.release }) };
    return events.record({ type, ...about, cause, message }).id;
  }
}
