import type { StopReport } from '../contract/answers.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { failPoint } from '../lib/fail_point.ts';
import type { EventLog } from '../services/event_log.ts';
import { pidOf } from '../services/instance.ts';
import type { Registry } from '../services/registry.ts';
import { runningInstances, type Service, type UnderWay } from '../services/service.ts';
import type { StoredRelease } from '../services/store.ts';
import type { Supervisor } from '../supervision/supervisor.ts';
import { stopWhere } from './stop_instances.ts';

/** What replacing one release by another took. */
export interface Replacement {
  /** Of the first instance; null when it has ended well by then. */
  readonly pid: number | null;
  /** What the stop of the release before took; null when none ran. */
  readonly stop: StopReport | null;
}

interface Parts {
  readonly registry: Registry;
  readonly supervisor: Supervisor;
  readonly events: EventLog;
}

/** Which release is to run instead of what does, and who wants it. */
export type ReplacementOrder = Omit<UnderWay, 'before' | 'was_resumed'>;

/**
 * Replaces what runs of a service by a release and makes that the current one. The old processes end before the new ones
 * start: both may want the same port. Callers have checked that the new one can be started. When the new one fails, the
 * old release is started again, the current release stays what it was, and the error says what runs now in its field
 * `restored`. What is about to happen is written down first, so that another agent can bring it to an end; where it
 * cannot be, this throws `storage_unavailable`, and what runs has not been touched.
 */
export async function replaceRelease(
  parts: Parts,
  id: string,
  order: ReplacementOrder,
): Promise<Replacement> {
  const service = parts.registry.get(id);
  const running = runningInstances(service).flatMap(({ process }) => process ?? []);
  const [first] = running;
  const instance_ids = running.map(({ instance_id }) => instance_id);
  const numbers = runningInstances(service).map(({ number }) => number);
  const before = first === undefined ? null : { release: first.release, instance_ids, numbers };
  const under_way = { ...order, before, was_resumed: false };
  try {
    parts.registry.announce(id, { under_way });
  } catch (error) {
    if (order.is_deployment)
      settle(parts.registry, id, parts.registry.release(id, order.release), errorMessage(error));
    noteDeployment(parts, id, under_way, errorMessage(error));
    throw error;
  }
  return proceed(parts, id, under_way);
}

/**
 * Brings a replacement to an end that an agent was in when it died, from wherever it got to. Where that happened twice,
 * what ran before is started instead, and this throws `deployment_interrupted`.
 */
export async function resumeReplacement(parts: Parts, id: string, found: UnderWay): Promise<Replacement> {
  if (isRestored(parts.registry.get(id), found)) return settleRestored(parts, id, found);
  if (found.was_resumed) return giveUp(parts, id, found);
  const under_way = { ...found, was_resumed: true };
  parts.registry.update(id, { under_way });
  return proceed(parts, id, under_way);
}

async function proceed(parts: Parts, id: string, under_way: UnderWay): Promise<Replacement> {
  const { registry } = parts;
  const { release, instances } = under_way;
  const target = registry.release(id, release);
  const stop = await stopWhere(parts, id, under_way, (instance_id) => isOld(under_way, instance_id));
  failPoint('deploy.old_stopped');
  try {
    const pid = await runTarget(parts, id, target, under_way);
    failPoint('deploy.started');
    settle(registry, id, target, null);
    failPoint('deploy.settled');
    const scale = instances === target.spec.instances ? null : instances;
    registry.commit(id, { wanted: 'running', current_release: release, scale, under_way: null });
    noteDeployment(parts, id, under_way, null);
    return { pid, stop };
  } catch (error) {
    settle(registry, id, target, errorMessage(error));
    noteDeployment(parts, id, under_way, errorMessage(error));
    const restored = await restore(parts, id, under_way);
    registry.commit(id, { under_way: null });
    if (!(error instanceof DavitError)) throw error;
    const fields = { ...error.fields, restored };
    throw new DavitError(error.code, error.message, { ...error, cause: error, fields });
  }
}

/** Says how a deployment ended, and what of its instances led to that. */
function noteDeployment(
  { registry, events }: Parts,
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
    message: failure ?? `Release ${release} is current`,
  });
}

/** Whether an instance is one of those that are to be replaced. */
function isOld({ before }: UnderWay, instance_id: string): boolean {
  return before?.instance_ids.includes(instance_id) ?? false;
}

/** Whether the release has failed, and what ran before it has been started again. */
function isRestored(service: Service, { release, before }: UnderWay): boolean {
  if (before === null || before.release === release) return false;
  const isBack = ({ process }: Service['instances'][number]) =>
    process?.release === before.release && !before.instance_ids.includes(process.instance_id);
  return service.instances.some(isBack);
}

function settleRestored(parts: Parts, id: string, under_way: UnderWay): never {
  const { release } = under_way;
  const { cause } = parts.registry.release(id, release);
  parts.registry.commit(id, { under_way: null });
  const message = cause ?? `release ${release} failed, and what ran before it runs again`;
  noteDeployment(parts, id, under_way, message);
  throw new DavitError('internal', message);
}

/**
 * Starts the instances of a release or, where an agent that died has started some, waits until these are proved. When one
 * fails, the others are stopped. Returns the pid of the first.
 */
async function runTarget(
  parts: Parts,
  id: string,
  { release, spec }: StoredRelease,
  under_way: UnderWay,
): Promise<number | null> {
  const { registry, supervisor } = parts;
  const { actor, cause, is_deployment } = under_way;
  const trigger = is_deployment ? 'deploy' : 'manual';
  const failure = new AbortController();
  registry.resize(id, under_way.instances);
  const starts = registry.get(id).instances.map(({ number, process }) => {
    if (process !== null) return supervisor.finishStart(id, number, spec, failure.signal);
    const order = {
      service: id,
      number,
      release,
      spec,
      actor,
      cause,
      trigger,
      signal: failure.signal,
    } as const;
    return supervisor.start(order);
  });
  try {
    await Promise.all(starts);
  } catch (error) {
    // Each that has not proved itself is stopped by its own start: nobody else can while it is being started.
    failure.abort();
    await Promise.allSettled(starts);
    await stopWhere(parts, id, under_way, () => true);
    throw error;
  }
  const { process } = registry.instance(id, 1);
  return process && pidOf(process);
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

/**
 * Makes of the service what it was: starts again what ran before, unless that is what has just failed. What should have
 * run and did not waits for its start.
 */
async function restore(
  { registry, supervisor }: Parts,
  id: string,
  { release, before, actor, cause }: UnderWay,
) {
  const { instances, wanted, current_release } = registry.resize(id, registry.wantedInstances(id));
  const numbers = before?.numbers ?? before?.instance_ids.map((_, at) => at + 1) ?? [];
  const others = instances.filter(({ number }) => !numbers.includes(number));
  if (wanted === 'running' && current_release !== release)
    for (const { number } of others) registry.advance(id, number, 'waits', { retry_at: null });
  if (before === null || before.release === release) return null;
  const { spec } = registry.release(id, before.release);
  const order = { service: id, release: before.release, spec, actor, cause, trigger: 'deploy' } as const;
  const starts = numbers
    .filter((number) => number <= instances.length)
    .map((number) => supervisor.start({ ...order, number }));
  // Their own failures are events; the answer tells of the deploy's.
  const pids = (await Promise.allSettled(starts)).filter((start) => start.status === 'fulfilled');
  const [first] = pids;
  return first === undefined ? null : { release: before.release, pid: first.value };
}

/** An agent died in this twice, so this may be why: it is not tried a third time. */
async function giveUp(parts: Parts, id: string, under_way: UnderWay): Promise<never> {
  const { registry } = parts;
  const { release } = under_way;
  const message = `release ${release} was given up: the agent died twice while it replaced what ran`;
  const target = registry.release(id, release);
  const isNew = (instance_id: string, number: number) =>
    !isOld(under_way, instance_id) && registry.instance(id, number).process?.release === release;
  await stopWhere(parts, id, under_way, isNew);
  settle(registry, id, target, message);
  noteDeployment(parts, id, under_way, message);
  if (runningInstances(registry.get(id)).length === 0) await restore(parts, id, under_way);
  registry.commit(id, { under_way: null });
  throw new DavitError('internal', message);
}
