import type { StopReport } from '../contract/processes.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { failPoint } from '../lib/fail_point.ts';
import { pidOf } from '../services/instance.ts';
import type { Registry } from '../services/registry.ts';
import type { StoredRelease } from '../services/release.ts';
import { runningInstances, type Service, stayingInstances, type UnderWay } from '../services/service.ts';
import type { Attempt, Course, CourseParts, Steering } from './course.ts';
import { Interruption, note } from './course.ts';
import { Recreate } from './recreate.ts';
import { Rolling } from './rolling.ts';

/** What replacing one release by another took. */
export interface Replacement {
  /** Of the first instance; null when it has ended well by then. */
  readonly pid: number | null;
  /** What the stop of the release before took; null when none ran, or it ends by and by. */
  readonly stop: StopReport | null;
}

/** Which release is to run instead of what does, and who wants it. */
export type ReplacementOrder = Omit<UnderWay, 'before' | 'was_resumed' | 'places' | 'shares' | 'failure'>;

/**
 * Replaces what runs of a service by a release and makes that the current one. Callers have checked that the new one can be
 * started. When the new one fails, what ran before runs again, the current release stays what it was, and the error says what
 * runs now in its field `restored`. What is about to happen is written down first, so that another agent can bring it to an
 * end; where it cannot be, this throws `storage_unavailable`, and what runs has not been touched.
 */
export async function replaceRelease(
  parts: CourseParts,
  id: string,
  order: ReplacementOrder,
  steering: Steering,
): Promise<Replacement> {
  const { registry } = parts;
  const under_way = {
    ...order,
    places: [],
    shares: null,
    before: beforeOf(registry.get(id)),
    was_resumed: false,
  };
  const target = registry.release(id, order.release);
  try {
    registry.announce(id, { under_way });
  } catch (error) {
    if (order.is_deployment) settle(registry, id, target, errorMessage(error));
    noteDeployment(parts, id, under_way, errorMessage(error));
    throw error;
  }
  return proceed(parts, { service: id, target, under_way, steering });
}

/**
 * Brings a replacement to an end that an agent was in when it died, from wherever it got to. One that had failed stays so,
 * and this throws why. Where agents died in it twice, what ran before is started instead, and this throws `internal`.
 */
export async function resumeReplacement(
  parts: CourseParts,
  id: string,
  found: UnderWay,
  steering: Steering,
): Promise<Replacement> {
  const target = parts.registry.release(id, found.release);
  const attempt = { service: id, target, under_way: found, steering };
  note(parts, attempt, { was_resumed: true });
  if (found.failure !== undefined)
    return undo(parts, attempt, new DavitError(found.failure.code, found.failure.message));
  if (found.was_resumed) {
    const message = `release ${found.release} was given up: the agent died twice while it replaced what ran`;
    return undo(parts, attempt, new DavitError('internal', message));
  }
  return proceed(parts, attempt);
}

/** What runs, as what is to be replaced; null: nothing does. */
function beforeOf(service: Service): UnderWay['before'] {
  const running = runningInstances(service);
  const staying = running.find(({ draining }) => draining === null) ?? running[0];
  if (staying?.process == null) return null;
  const { release } = staying.process;
  const numbers = running.filter(({ draining }) => draining === null).map(({ number }) => number);
  return { release, instance_ids: running.flatMap(({ process }) => process?.instance_id ?? []), numbers };
}

async function proceed(parts: CourseParts, attempt: Attempt): Promise<Replacement> {
  const { registry } = parts;
  const { service: id, target } = attempt;
  const { release, instances } = attempt.under_way;
  const course = courseOf(parts, attempt);
  try {
    const stop = await course.run();
    failPoint('deploy.started');
    settle(registry, id, target, null);
    failPoint('deploy.settled');
    const scale = instances === target.spec.instances ? null : instances;
    registry.commit(id, { wanted: 'running', current_release: release, scale, under_way: null });
    failPoint('deploy.committed');
    noteDeployment(parts, id, attempt.under_way, null);
    // Whoever is told that it is deployed finds it so.
    await parts.traffic.applied(id);
    const first = stayingInstances(registry.get(id))[0]?.process;
    return { pid: first ? pidOf(first) : null, stop };
  } catch (error) {
    if (error instanceof Interruption) {
      // An agent that ends as it should is no sign that this is why.
      note(parts, attempt, { was_resumed: false });
      throw error;
    }
    return undo(parts, attempt, error);
  }
}

/** Puts back what ran before. Throws why that is so. */
async function undo(parts: CourseParts, attempt: Attempt, error: unknown): Promise<never> {
  const { registry } = parts;
  const { service: id, target } = attempt;
  const [code, message] = [error instanceof DavitError ? error.code : 'internal', errorMessage(error)];
  note(parts, attempt, { failure: { code, message } });
  failPoint('deploy.failed');
  settle(registry, id, target, message);
  noteDeployment(parts, id, attempt.under_way, message);
  try {
    await courseOf(parts, attempt).putBack();
    failPoint('deploy.put_back');
  } finally {
    // Also where something cannot be ended: nothing of the service would be started again otherwise.
    registry.commit(id, { under_way: null });
  }
  await parts.traffic.applied(id);
  if (!(error instanceof DavitError)) throw error;
  const fields = { ...error.fields, restored: restoredOf(registry.get(id), attempt.under_way) };
  throw new DavitError(code, message, { ...error, cause: error, fields });
}

function courseOf(parts: CourseParts, attempt: Attempt): Course {
  return attempt.under_way.strategy === 'recreate'
    ? new Recreate(parts, attempt)
    : new Rolling(parts, attempt);
}

/** What runs of the release before; null: nothing does, or that is what has failed. */
function restoredOf(service: Service, { before, release }: UnderWay) {
  if (before === null || before.release === release) return null;
  const running = stayingInstances(service).flatMap(({ process }) => process ?? []);
  const first = running.find((process) => process.release === before.release);
  return first === undefined ? null : { release: before.release, pid: pidOf(first) };
}

/** Says how a deployment ended, and what of its instances led to that. */
function noteDeployment(
  { registry, events }: CourseParts,
  id: string,
  { release, actor, cause, is_deployment }: UnderWay,
  failure: string | null,
): void {
  if (!is_deployment) return;
  const happened = registry.get(id).instances.flatMap(({ last_event }) => last_event ?? []);
  events.record({
    type: failure === null ? 'deployment.succeeded' : 'deployment.failed',
    service: id,
    release,
    actor,
    cause: Math.max(cause ?? 0, ...happened),
    within: cause,
    message: failure ?? `Release ${release} is current`,
  });
}

/** A release is settled by its first start; that it fails later does not make it a release that never ran. */
function settle(
  registry: Registry,
  id: string,
  { release, outcome }: StoredRelease,
  cause: string | null,
): void {
  if (outcome === 'succeeded') return;
  registry.settleRelease(id, release, cause === null ? 'succeeded' : 'failed', cause);
}
