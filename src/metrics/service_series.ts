import { increase } from './increase.ts';
import type { SeriesValues } from './series_values.ts';
import type { Snapshot } from './snapshot.ts';
import type { InstanceUsage } from './tick.ts';

/** Adds what each service uses and how it is. */
export function addServices(
  values: SeriesValues,
  before: Snapshot | null,
  now: Snapshot,
  seconds: number,
): void {
  for (const [id, { ready, wanted, restarts, log_bytes }] of now.services) {
    const earlier = before?.services.get(id);
    values.add('service.ready', ready, id);
    values.add('service.missing', Math.max(0, wanted - ready), id);
    // Counted since the agent began, and anew when a service of this name is made again.
    values.add('service.restarts', increase(earlier?.restarts ?? 0, restarts) ?? restarts, id);
    values.addRate('service.log_bytes', increase(earlier?.log_bytes, log_bytes), seconds, id);
  }
  const earlier = new Map(before?.tick.instances.map((each) => [each.instance_id, each]));
  for (const [id, instances] of Map.groupBy(now.tick.instances, ({ service }) => service)) {
    values.add('service.memory', sum(instances, 'resident_bytes'), id);
    values.add('service.open_files', sum(instances, 'open_files'), id);
    const parts = instances.map((each) => cpuSeconds(before, earlier.get(each.instance_id), each));
    const known = parts.filter((each) => each !== null);
    if (known.length > 0)
      values.addRate(
        'service.cpu',
        known.reduce((a, b) => a + b),
        seconds,
        id,
      );
  }
}

/** What an instance used since the tick before; null: it ran then, and nothing was known of it. */
function cpuSeconds(
  before: Snapshot | null,
  earlier: InstanceUsage | undefined,
  now: InstanceUsage,
): number | null {
  if (before === null) return null;
  if (earlier !== undefined) return increase(earlier.cpu_seconds, now.cpu_seconds);
  return now.started_at >= before.tick.at ? now.cpu_seconds : null;
}

function sum(instances: readonly InstanceUsage[], field: 'resident_bytes' | 'open_files'): number {
  return instances.reduce((all, each) => all + each[field], 0);
}
