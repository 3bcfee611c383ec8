import type { Spec } from '../../contract/spec.ts';
import { type Instance, isReady } from '../../services/instance.ts';
import { type Service, stayingInstances } from '../../services/service.ts';
import { endedWell } from '../../supervision/restart.ts';
import { type Finding, finding, type IsKnown } from './finding.ts';

/**
 * That a service has failed and is not started again: one finding for all of its instances. While a release is being replaced
 * it stays as it was, for the deployment tells how that goes; and a task that failed stays so until a run of it ends well.
 */
export function failedInstances(service: Service, spec: Spec, isKnown: IsKnown): Finding[] {
  const { id, wanted, under_way } = service;
  if (wanted === 'stopped' && spec.type === 'service') return [];
  const places = stayingInstances(service);
  const failed = places.filter((instance) => hasFailed(instance, spec));
  const [first] = failed;
  if (under_way !== null && !isKnown(null, null)) return [];
  if (first === undefined) return isTriedAgain(service, spec, isKnown) ? [stillFailed(service)] : [];
  const of = places.length === 1 ? '' : `, ${failed.length} of ${places.length} instances`;
  return [
    finding({
      summary: `${id} has failed${of}: ${first.last_exit?.message ?? 'it is not started again'}`,
      event: first.last_event,
      since: first.last_exit?.at ?? null,
    }),
  ];
}

function hasFailed({ state, last_exit }: Instance, spec: Spec): boolean {
  if (state === 'failed') return true;
  // With the policy `never` what ends badly just stays as it is.
  if (state !== 'stopped' || spec.type === 'task' || last_exit === null) return false;
  return badEnds.has(last_exit.reason) && !endedWell({ exit: last_exit, spec });
}

const badEnds: ReadonlySet<string> = new Set(['exited', 'out_of_memory', 'unhealthy', 'start_failed']);

function isTriedAgain({ under_way, instances }: Service, spec: Spec, isKnown: IsKnown): boolean {
  if (!isKnown(null, null)) return false;
  return under_way !== null || (spec.type === 'task' && instances.some(({ process }) => process !== null));
}

function stillFailed({ id }: Service): Finding {
  return finding({ summary: `${id} has failed, and is tried again` });
}

/** That instances are not ready, or found dead by their liveness probe. One that is stays so until it has proved itself. */
export function unhealthyInstances({ id, wanted, instances }: Service, isKnown: IsKnown): Finding[] {
  if (wanted === 'stopped') return [];
  return instances
    .filter((instance) => isUnhealthy(instance) || (isKnown(instance.number, null) && isUnproven(instance)))
    .map((instance) =>
      finding({
        instance: instance.number,
        summary: unhealthySummary(id, instance, instances.length),
        event: instance.last_event,
      }),
    );
}

function isUnhealthy({ state, readiness, liveness, draining }: Instance): boolean {
  return state === 'running' && draining === null && (readiness === 'unhealthy' || liveness === 'unhealthy');
}

/** Whether it is being started again, or has not been probed since. */
function isUnproven(instance: Instance): boolean {
  const { state, draining } = instance;
  if (draining !== null) return false;
  if (state === 'running') return !isReady(instance);
  return state === 'backoff' || state === 'starting' || state === 'stopping' || state === 'pending';
}

function unhealthySummary(
  id: string,
  { number, state, liveness, last_probe }: Instance,
  count: number,
): string {
  const which = count === 1 ? id : `instance ${number} of ${id}`;
  const what = liveness === 'unhealthy' ? 'fails its liveness probe' : 'is not ready';
  if (state !== 'running') return `${which} is not healthy: it is ${state}`;
  return `${which} ${what}${last_probe === null ? '' : `: ${last_probe}`}`;
}
