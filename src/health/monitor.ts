import type { HealthVerdict, ProbeKind } from '../contract/health.ts';
import { errorMessage } from '../lib/errors.ts';
import type { ProbeResult } from './attempt.ts';
import { Phases } from './phases.ts';
import { probeCheck } from './probe_check.ts';
import { type JudgedResult, ProbeRunner } from './probe_runner.ts';
import { timesOf } from './schedule.ts';
import type { ProbeTarget } from './target.ts';
import { Ticks } from './ticks.ts';

/** The result of one probe of an instance. */
export interface HealthResult extends ProbeResult {
  readonly service: string;
  readonly instance: number;
  /** When the process of the instance was started, in milliseconds since the epoch. */
  readonly started_at: number;
  readonly kind: ProbeKind;
  /** When the probe began, in milliseconds since the epoch. */
  readonly at: number;
  /** What is thought of the instance with it. */
  readonly verdict: HealthVerdict;
}

/** That something else is thought of an instance than before. */
export interface HealthChange {
  readonly service: string;
  readonly instance: number;
  readonly kind: ProbeKind;
  readonly verdict: 'healthy' | 'unhealthy';
  readonly previous: HealthVerdict;
  /** The one that made the difference. */
  readonly result: HealthResult;
}

/** What is thought of an instance by one of its probes. */
export interface PresentHealth {
  readonly instance: number;
  readonly kind: ProbeKind;
  readonly verdict: HealthVerdict;
  /** Since when, in milliseconds since the epoch. */
  readonly since: number;
  /** Null: there was none yet. */
  readonly last: HealthResult | null;
}

/** An instance that is watched. */
export interface Watch {
  /** Calls off what is under way; nothing is told of it any more. */
  end(): void;
}

interface MonitorOptions {
  /** Told before `onResult` of the same probe. */
  readonly onChange: (change: HealthChange) => void;
  readonly onResult?: (result: HealthResult) => void;
  readonly onProblem: (message: string) => void;
}

interface Watched {
  readonly target: ProbeTarget;
  readonly present: Map<ProbeKind, PresentHealth>;
}

/** Probes instances for as long as they are watched: at most one probe of each kind of an instance at a time. */
export class Monitor {
  readonly #options: MonitorOptions;
  readonly #phases = new Phases();
  readonly #ticks = new Ticks();
  /** By service. */
  readonly #watched = new Map<string, Set<Watched>>();
  readonly #ends = new Set<() => void>();

  constructor(options: MonitorOptions) {
    this.#options = options;
  }

  /** Begins at once. Whoever watches an instance whose process is replaced ends this and watches the new one. */
  watch(target: ProbeTarget): Watch {
    const controller = new AbortController();
    const watched: Watched = { target, present: new Map() };
    const ofService = this.#watched.get(target.service) ?? new Set();
    this.#watched.set(target.service, ofService.add(watched));
    const releases = (['readiness', 'liveness'] as const).map((kind) =>
      this.#begin(watched, kind, controller.signal),
    );
    const end = () => {
      if (!this.#ends.delete(end)) return;
      controller.abort();
      for (const release of releases) release();
      ofService.delete(watched);
      if (ofService.size === 0) this.#watched.delete(target.service);
    };
    this.#ends.add(end);
    return { end };
  }

  /** What is thought at present of the instances of a service that are watched, by their numbers. */
  present(service: string): PresentHealth[] {
    const watched = [...(this.#watched.get(service) ?? [])];
    return watched.flatMap(({ present }) => [...present.values()]).sort((a, b) => a.instance - b.instance);
  }

  /** Ends every watch. */
  close(): void {
    for (const end of [...this.#ends]) end();
  }

  #begin(watched: Watched, kind: ProbeKind, signal: AbortSignal): () => void {
    const { target, present } = watched;
    const { instance, started_at } = target;
    const probe = target[kind];
    if (probe === null) return () => {};
    const { phase, release } = this.#phases.take(timesOf(probe).interval_ms);
    const check = probeCheck(probe, target);
    const onResult = (result: JudgedResult) => this.#take(watched, kind, result);
    present.set(kind, { instance, kind, verdict: 'unknown', since: Date.now(), last: null });
    new ProbeRunner({ probe, check, started_at, phase, ticks: this.#ticks, signal, onResult });
    return release;
  }

  #take({ target, present }: Watched, kind: ProbeKind, judged: JudgedResult): void {
    const { onChange, onResult, onProblem } = this.#options;
    const { service, instance, started_at } = target;
    const { previous, ...outcome } = judged;
    const result: HealthResult = { service, instance, started_at, kind, ...outcome };
    const { verdict, at } = result;
    const since = verdict === previous ? (present.get(kind)?.since ?? at) : at;
    present.set(kind, { instance, kind, verdict, since, last: result });
    try {
      if (verdict !== previous && verdict !== 'unknown')
        onChange({ service, instance, kind, verdict, previous, result });
      onResult?.(result);
    } catch (error) {
      onProblem(`the health of service "${service}" could not be taken note of: ${errorMessage(error)}`);
    }
  }
}
