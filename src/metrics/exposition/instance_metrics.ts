import type { HealthVerdict } from '../../contract/health.ts';
import { isReady } from '../../services/instance.ts';
import type { Sample } from './computed_metric.ts';
import type { InstanceRestarts } from './instance_restarts.ts';
import type { MetricSet } from './metric_set.ts';
import { type ProbeCounts, probeBounds } from './probe_counts.ts';
import type { InstanceView, Views } from './view.ts';

export interface InstanceSources {
  readonly views: Pick<Views, 'present'>;
  readonly probes: Pick<ProbeCounts, 'of'>;
  readonly restarts: Pick<InstanceRestarts, 'of'>;
}

type Read = (view: InstanceView) => number | null | undefined;

const usageGauges: readonly (readonly [name: string, help: string, read: Read])[] = [
  [
    'resident_memory_bytes',
    'Resident memory of all processes of the instance.',
    ({ usage }) => usage?.resident_bytes,
  ],
  ['processes', 'Processes of the instance.', ({ usage }) => usage?.processes],
  ['threads', 'Threads of all processes of the instance.', ({ usage }) => usage?.threads],
  ['open_fds', 'Open files of all processes of the instance.', ({ usage }) => usage?.open_files],
];

const stateGauges: typeof usageGauges = [
  ['ready', 'Whether the instance runs and is ready: 1 or 0.', ({ instance }) => Number(isReady(instance))],
  [
    'release',
    'The release of which the process of the instance is.',
    ({ instance }) => instance.process?.release,
  ],
  [
    'start_time_seconds',
    'When the process of the instance was started, since 1970.',
    ({ instance }) => started(instance),
  ],
  [
    'last_exit_code',
    'How the last process of the instance ended: its exit code, or 128 and the number of the signal that ended it.',
    ({ instance }) => instance.last_exit?.return_code,
  ],
  [
    'last_exit_timestamp_seconds',
    'When the last process of the instance ended, since 1970.',
    ({ instance }) => exited(instance),
  ],
];

/** The instances, each with the whole tree of its processes. */
export function addInstanceMetrics(metrics: MetricSet, { views, probes, restarts }: InstanceSources): void {
  const all = (read: (view: InstanceView) => Sample[]) => () => views.present.instances.flatMap(read);
  const known = (read: Read) =>
    all((view) => {
      const value = read(view);
      return value === null || value === undefined ? [] : [{ subject: view.subject, value }];
    });

  metrics.gauge(
    'davit_instance_state',
    'Always 1; the label says in which state the instance is.',
    all(({ subject, instance }) => [{ subject, labels: { state: instance.state }, value: 1 }]),
  );
  for (const [name, help, read] of [...stateGauges, ...usageGauges])
    metrics.gauge(`davit_instance_${name}`, help, known(read));
  metrics.counter(
    'davit_instance_cpu_seconds_total',
    'Processor time of all processes of the instance since it was started.',
    known(({ usage }) => usage?.cpu_seconds),
  );
  metrics.counter(
    'davit_instance_restarts_total',
    'Starts again after an end that nobody asked for.',
    known(({ key }) => restarts.of(key)),
  );
  metrics.gauge(
    'davit_instance_healthy',
    'What the probes of the instance say: 1 healthy, 0 unhealthy; nothing while they do not know.',
    all(({ subject, instance }) =>
      (['readiness', 'liveness'] as const).flatMap((kind) => {
        const value = healthOf(instance[kind]);
        return value === null ? [] : [{ subject, labels: { kind }, value }];
      }),
    ),
  );
  addProbes(metrics, views, probes);
}

function addProbes(metrics: MetricSet, views: Pick<Views, 'present'>, probes: Pick<ProbeCounts, 'of'>): void {
  metrics.counter('davit_instance_probes_total', 'Probes of the instance, by how they ended.', () =>
    views.present.instances.flatMap(({ key, subject }) =>
      probes.of(key).flatMap(({ kind, succeeded, failed }) => [
        { subject, labels: { kind, outcome: 'succeeded' }, value: succeeded },
        { subject, labels: { kind, outcome: 'failed' }, value: failed },
      ]),
    ),
  );
  metrics.histogram(
    'davit_instance_probe_duration_seconds',
    'How long probes of the instance took.',
    probeBounds,
    () =>
      views.present.instances.flatMap(({ key, subject }) =>
        probes.of(key).map(({ kind, durations }) => ({ subject, labels: { kind }, distribution: durations })),
      ),
  );
}

function healthOf(verdict: HealthVerdict | null): number | null {
  return verdict === null || verdict === 'unknown' ? null : Number(verdict === 'healthy');
}

function started({ process }: InstanceView['instance']): number | null {
  return process === null ? null : process.started_at / 1_000;
}

function exited({ last_exit }: InstanceView['instance']): number | null {
  return last_exit === null ? null : last_exit.at / 1_000;
}
