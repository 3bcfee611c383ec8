import type { StopReport } from '../contract/processes.ts';
import type { OperationResult } from '../contract/services.ts';
import { pidOf } from '../services/instance.ts';
import type { Registry } from '../services/registry.ts';
import { stayingInstances } from '../services/service.ts';

/** What else there is to tell of an operation. */
interface Done {
  readonly stop?: StopReport | null;
  readonly deployment?: number;
}

/** What an operation on a service did. */
export function operationResult(
  registry: Registry,
  id: string,
  status: OperationResult['status'],
  message: string,
  done: Done = {},
): OperationResult {
  const service = registry.get(id);
  const first = stayingInstances(service).find(({ process }) => process !== null);
  return {
    status,
    ...(first?.process && { pid: pidOf(first.process) }),
    message,
    service: id,
    release: service.current_release,
    ...(done.deployment !== undefined && { deployment: done.deployment }),
    ...(done.stop && { stop: done.stop }),
  };
}

/** What a stop took, as a sentence. */
export function stopMessage({ ended_by, survivors, swept, signal }: StopReport): string {
  if (survivors.length > 0)
    return `Service stopped, but these processes are still there: ${survivors.join(', ')}`;
  const how = ended_by === 'kill' ? `it did not end on ${signal} and was killed` : `it ended on ${signal}`;
  return swept.length > 0
    ? `Service stopped: ${how}, and ${swept.length} escaped descendants were killed`
    : `Service stopped: ${how}`;
}

/** What a deploy did, as a sentence. */
export function deployMessage(release: number, nextRun: Date | null): string {
  if (nextRun === null) return `Service deployed as release ${release}`;
  return `Task deployed as release ${release}; it runs next at ${nextRun.toISOString()}`;
}
