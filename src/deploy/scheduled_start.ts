import { DavitError } from '../lib/errors.ts';
import { noRestarts } from '../services/instance.ts';
import type { Registry } from '../services/registry.ts';
import { runningInstances } from '../services/service.ts';
import type { Dependencies } from '../supervision/dependencies.ts';
import type { Supervisor } from '../supervision/supervisor.ts';

interface ScheduledStartParts {
  readonly registry: Registry;
  readonly supervisor: Supervisor;
  readonly dependencies: Dependencies;
}

/** Who asked for what a schedule brings about. */
export const bySchedule = 'schedule';

/**
 * Starts a task whose time has come, unless it still runs. How it goes is noted with the task. Callers hold the service's
 * lock. Throws `dependency_unmet`.
 */
export async function startScheduled(
  { registry, supervisor, dependencies }: ScheduledStartParts,
  id: string,
  scheduled_for: Date,
): Promise<void> {
  const service = registry.find(id);
  if (service === null || service.wanted === 'stopped' || runningInstances(service).length > 0) return;
  const unmet = dependencies.unmet(id);
  if (unmet.length > 0)
    throw new DavitError('dependency_unmet', `the task waits for ${unmet.join(' and ')}: not run`);
  const { current_release: release } = service;
  const spec = registry.spec(id);
  const order = { service: id, number: 1, release, spec, actor: bySchedule, cause: null } as const;
  registry.updateInstance(id, 1, { restarts: noRestarts });
  await supervisor.restart({ ...order, trigger: 'schedule', scheduled_for });
}
