import type { OperationResult } from '../contract/services.ts';
import type { DeploymentHistory } from '../services/deployment_history.ts';
import type { EventLog } from '../services/event_log.ts';
import { type StopParts, stopService } from './stop_instances.ts';

export interface RemovalParts extends StopParts {
  readonly events: EventLog;
  readonly history: DeploymentHistory;
  /** Removes all that is kept of a deleted service beside its record: output, histories, versions of files. */
  readonly forget: (service: string) => Promise<void>;
}

/** Stops a service and forgets it: its releases, its state and its logs. Callers hold the service's lock. */
export async function removeService(
  parts: RemovalParts,
  id: string,
  actor: string,
): Promise<OperationResult> {
  const { registry, events, history, forget } = parts;
  registry.commit(id, { wanted: 'stopped' });
  const stop = await stopService(parts, id, { actor, cause: null });
  const { current_release: release } = registry.get(id);
  registry.remove(id);
  history.forget(id);
  await forget(id);
  const message = 'Service was deleted with its releases and logs';
  events.record({ type: 'service.deleted', service: id, actor, message });
  return { status: 'deleted', message: 'Service deleted', service: id, release, ...(stop && { stop }) };
}
