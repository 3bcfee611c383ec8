import type { ServiceCounts } from '../service_counts.ts';
import type { Sample } from './computed_metric.ts';
import type { DeploymentTimes } from './deployment_times.ts';
import { deploymentBounds } from './deployment_times.ts';
import type { MetricSet } from './metric_set.ts';
import type { ServiceView, Views } from './view.ts';

/** What a service wrote by one of its streams. */
interface Written {
  readonly bytes: number;
  readonly lines: number;
}

export interface ServiceSources {
  readonly views: Pick<Views, 'present'>;
  readonly counts: Pick<ServiceCounts, 'of'>;
  readonly deploymentTimes: Pick<DeploymentTimes, 'of'>;
  /** What each service wrote since the agent was started. */
  readonly written: () => ReadonlyMap<string, Readonly<Record<'stdout' | 'stderr', Written>>>;
}

/** The services, each as a whole. */
export function addServiceMetrics(metrics: MetricSet, sources: ServiceSources): void {
  const { views, counts, deploymentTimes, written } = sources;
  const each = (read: (view: ServiceView) => number) => () =>
    views.present.services.map((view): Sample => ({ subject: view.subject, value: read(view) }));
  const all = (read: (view: ServiceView) => Sample[]) => () => views.present.services.flatMap(read);

  metrics.gauge(
    'davit_service_state',
    'Always 1; the label says in which state the service is.',
    all(({ subject, state }) => [{ subject, labels: { state }, value: 1 }]),
  );
  metrics.gauge(
    'davit_service_instances_wanted',
    'How many instances there are to be; 0 of a service that is stopped, and of a task.',
    each(({ instances }) => instances.wanted),
  );
  metrics.gauge(
    'davit_service_instances_running',
    'How many instances have a process.',
    each(({ instances }) => instances.running),
  );
  metrics.gauge(
    'davit_service_instances_ready',
    'How many instances run and are ready.',
    each(({ instances }) => instances.ready),
  );
  metrics.gauge(
    'davit_service_release',
    'The number of the current release.',
    each(({ service }) => service.current_release),
  );
  metrics.counter(
    'davit_service_restarts_total',
    'Starts again after an end that nobody asked for.',
    each(({ id }) => counts.of(id).restarts),
  );
  metrics.counter(
    'davit_service_deployments_total',
    'Deployments, by how they ended.',
    all(({ id, subject }) => {
      const { deployments_succeeded, deployments_failed } = counts.of(id);
      return [
        { subject, labels: { outcome: 'succeeded' }, value: deployments_succeeded },
        { subject, labels: { outcome: 'failed' }, value: deployments_failed },
      ];
    }),
  );
  metrics.histogram(
    'davit_service_deployment_duration_seconds',
    'How long deployments took, by how they ended.',
    deploymentBounds,
    () =>
      views.present.services.flatMap(({ id, subject }) =>
        deploymentTimes
          .of(id)
          .map(({ outcome, distribution }) => ({ subject, labels: { outcome }, distribution })),
      ),
  );
  for (const [unit, help] of [
    ['lines', 'Lines that the service wrote.'],
    ['bytes', 'What the service wrote.'],
  ] as const)
    metrics.counter(
      `davit_service_log_${unit}_total`,
      help,
      all(({ id, subject }) => {
        const output = written().get(id);
        return (['stdout', 'stderr'] as const).map((stream) => ({
          subject,
          labels: { stream },
          value: output?.[stream][unit] ?? 0,
        }));
      }),
    );
}
