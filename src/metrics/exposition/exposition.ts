import { setImmediate as nextTurn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { Counter, type MetricObject, Registry } from 'prom-client';
import { eventTypes } from '../../contract/events.ts';
import { errorMessage } from '../../lib/errors.ts';
import type { EventLog } from '../../services/event_log.ts';
import type { RouterTraffic } from '../../traffic/traffic.ts';
import type { Tick } from '../tick.ts';
import { addAgentMetrics } from './agent_metrics.ts';
import { ComputedMetric } from './computed_metric.ts';
import { DeploymentTimes } from './deployment_times.ts';
import { addHostMetrics } from './host_metrics.ts';
import { addInstanceMetrics } from './instance_metrics.ts';
import { InstanceRestarts } from './instance_restarts.ts';
import { MetricSet, single } from './metric_set.ts';
import { OperationCounts } from './operation_counts.ts';
import type { ProbeCounts } from './probe_counts.ts';
import { addRouterMetrics } from './router_metrics.ts';
import { addServiceMetrics, type ServiceSources } from './service_metrics.ts';
import { type ViewSources, Views } from './view.ts';

export interface ExpositionOptions {
  readonly registry: ViewSources['registry'];
  readonly events: EventLog;
  readonly counts: ServiceSources['counts'];
  readonly written: ServiceSources['written'];
  readonly traffic: Pick<RouterTraffic, 'facts' | 'routerCounts'>;
  /** What is told of each probe. */
  readonly probes: ProbeCounts;
  /** The last look; null before the first. */
  readonly tick: () => Tick | null;
  /** How many warnings the agent has. */
  readonly warnings: () => number;
  /** When the agent was started, in milliseconds since the epoch. */
  readonly started_at?: number;
  readonly onProblem: (message: string) => void;
}

/** All metrics as Prometheus reads them (text format 0.0.4). */
export interface Page {
  readonly text: Buffer;
  /** The same, as gzip. */
  compressed(): Promise<Buffer>;
}

export const pageType = Registry.PROMETHEUS_CONTENT_TYPE;

/** How long a page stands for the present, in milliseconds: who asks more often than that costs no more. */
const freshFor = 1_000;
/** For how many milliseconds it is written at a stretch. */
const longestSlice = 10;

const compress = promisify(gzip);

/**
 * Everything that the agent shows to Prometheus. Other parts of the agent add metrics of their own to `registry`:
 * `new Counter({ registers: [exposition.registry], … })`, or `exposition.metrics.gauge(name, help, read)` for values that are there anyway.
 */
export class Exposition {
  /** Not the one that prom-client has for everybody. */
  readonly registry = new Registry();
  readonly metrics = new MetricSet(this.registry);
  readonly operations = new OperationCounts(this.registry);
  #last: { readonly page: Page; readonly at: number } | null = null;
  #writing: Promise<Page> | null = null;
  #took: number | null = null;
  readonly #onProblem: (message: string) => void;
  readonly #failing = new Set<string>();

  constructor(options: ExpositionOptions) {
    const { registry, events, traffic, tick, warnings, started_at = Date.now() } = options;
    const { metrics } = this;
    this.#onProblem = options.onProblem;
    const { facts, routerCounts: routers } = traffic;
    const views = new Views({ registry, facts, tick });
    addAgentMetrics(metrics, { tick, warnings, started_at });
    countEvents(this.registry, events);
    addHostMetrics(metrics, tick);
    addServiceMetrics(metrics, { ...options, views, deploymentTimes: new DeploymentTimes(events) });
    options.probes.watch(events);
    addInstanceMetrics(metrics, { ...options, views, restarts: new InstanceRestarts(events) });
    addRouterMetrics(metrics, { views, facts, routers });
    metrics.gauge(
      'davit_exposition_duration_seconds',
      'How long it took to write these metrics before.',
      () => single(this.#took),
    );
  }

  /** The metrics as they are, or were a moment ago. Whoever asks while they are written gets the same. */
  async page(): Promise<Page> {
    const last = this.#last;
    if (last !== null && performance.now() - last.at <= freshFor) return last.page;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = null;
    });
    return this.#writing;
  }

  /** null: its values cannot be had, which keeps nobody from all the others. */
  async #textOf(metric: MetricObject | ComputedMetric): Promise<string | null> {
    const { name } = metric;
    try {
      const text =
        metric instanceof ComputedMetric ? metric.text() : await this.registry.getSingleMetricAsString(name);
      this.#failing.delete(name);
      return text;
    } catch (error) {
      if (!this.#failing.has(name))
        this.#onProblem(`the metric ${name} cannot be shown: ${errorMessage(error)}`);
      this.#failing.add(name);
      return null;
    }
  }

  async #write(): Promise<Page> {
    const began = performance.now();
    let slice = began;
    const parts: string[] = [];
    for (const metric of this.registry.getMetricsAsArray()) {
      const text = await this.#textOf(metric);
      if (text !== null) parts.push(text, '\n');
      if (performance.now() - slice < longestSlice) continue;
      await nextTurn();
      slice = performance.now();
    }
    const page = newPage(Buffer.from(parts.join('')));
    this.#took = (performance.now() - began) / 1_000;
    this.#last = { page, at: began };
    return page;
  }
}

function newPage(text: Buffer): Page {
  let compressed: Promise<Buffer> | null = null;
  return {
    text,
    compressed() {
      compressed ??= compress(text, { level: 1 });
      return compressed;
    },
  };
}

function countEvents(registry: Registry, events: Pick<EventLog, 'subscribe'>): void {
  const counter = new Counter({
    name: 'davit_agent_events_total',
    help: 'What happened, by the type of the event.',
    labelNames: ['type'],
    registers: [registry],
  });
  for (const type of eventTypes) counter.inc({ type }, 0);
  events.subscribe(({ type }) => counter.inc({ type }));
}
