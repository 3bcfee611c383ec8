import type { StopReport } from '../contract/answers.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { failPoint } from '../lib/fail_point.ts';
import type { Registry } from '../services/registry.ts';
import type { Service, UnderWay } from '../services/service.ts';
import type { StoredRelease } from '../services/store.ts';
import type { Supervisor } from '../supervision/supervisor.ts';

/** What replacing one release by another took. */
export interface Replacement {
  readonly pid: number;
  /** What the stop of the release before took; null when none ran. */
  readonly stop: StopReport | null;
}

interface Parts {
  readonly registry: Registry;
  readonly supervisor: Supervisor;
}

/** Which release is to run instead of what does, and who wants it. */
export type ReplacementOrder = Pick<UnderWay, 'release' | 'actor' | 'is_deployment'>;

/**
 * Replaces what runs of a service by a release and makes that the current one. The old process ends before the new one
 * starts: both may want the same port. Callers have checked that the new one can be started. When the new one fails, the
 * old release is started again, the current release stays what it was, and the error says what runs now in its field
 * `restored`. What is about to happen is written down first, so that another agent can bring it to an end; where it
 * cannot be, this throws `storage_unavailable`, and what runs has not been touched.
 */
export function replaceRelease(parts: Parts, id: string, order: ReplacementOrder): Promise<Replacement> {
  const { process } = parts.registry.get(id);
  const before = process && { release: process.release, instance_id: process.instance_id };
  const under_way = { ...order, before, was_resumed: false };
  parts.registry.announce(id, { under_way });
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
  const { registry, supervisor } = parts;
  const { release, before, actor } = under_way;
  const target = registry.release(id, release);
  const old = isOld(registry.get(id), under_way) ? registry.release(id, before?.release ?? 0) : null;
  const stop = old && (await supervisor.stop(id, old.spec.stop, { reason: 'stopped', actor }));
  failPoint('deploy.old_stopped');
  try {
    const pid = await runTarget(parts, id, target, actor);
    failPoint('deploy.started');
    settle(registry, id, target, null);
    failPoint('deploy.settled');
    registry.commit(id, { wanted: 'running', current_release: release, under_way: null });
    return { pid, stop };
  } catch (error) {
    settle(registry, id, target, errorMessage(error));
    const restored = await restore(parts, id, under_way);
    registry.commit(id, { under_way: null });
    if (!(error instanceof DavitError)) throw error;
    const fields = { ...error.fields, restored };
    throw new DavitError(error.code, error.message, { ...error, cause: error, fields });
  }
}

/** Whether what runs is what is to be replaced, and not yet what replaces it. */
function isOld({ process }: Service, { before }: UnderWay): boolean {
  return process !== null && process.instance_id === before?.instance_id;
}

/** Whether the release has failed, and what ran before it has been started again. */
function isRestored({ process }: Service, { release, before }: UnderWay): boolean {
  if (process === null || before === null || process.instance_id === before.instance_id) return false;
  return process.release === before.release && process.release !== release;
}

function settleRestored({ registry }: Parts, id: string, { release }: UnderWay): never {
  const { cause } = registry.release(id, release);
  registry.commit(id, { under_way: null });
  throw new DavitError('internal', cause ?? `release ${release} failed, and what ran before it runs again`);
}

/** Starts a release or, where an agent that died has started it, waits until that is proved. */
function runTarget(
  parts: Parts,
  id: string,
  { release, spec }: StoredRelease,
  actor: string,
): Promise<number> {
  const { registry, supervisor } = parts;
  if (registry.get(id).process !== null) return supervisor.finishStart(id, spec);
  return supervisor.start({ service: id, release, spec, actor });
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

/** Starts again what ran before, unless that is what has just failed. */
async function restore({ registry, supervisor }: Parts, id: string, { release, before, actor }: UnderWay) {
  if (before === null || before.release === release) return null;
  const { spec } = registry.release(id, before.release);
  try {
    const pid = await supervisor.start({ service: id, release: before.release, spec, actor });
    return { release: before.release, pid };
  } catch {
    // Its own failure is an event; the answer tells of the deploy's.
    return null;
  }
}

/** An agent died in this twice, so this may be why: it is not tried a third time. */
async function giveUp(parts: Parts, id: string, under_way: UnderWay): Promise<never> {
  const { registry, supervisor } = parts;
  const message = `release ${under_way.release} was given up: the agent died twice while it replaced what ran`;
  const target = registry.release(id, under_way.release);
  const { process } = registry.get(id);
  if (process !== null && !isOld(registry.get(id), under_way) && process.release === under_way.release)
    await supervisor.stop(id, target.spec.stop, { reason: 'stopped', actor: under_way.actor });
  settle(registry, id, target, message);
  if (registry.get(id).process === null) await restore(parts, id, under_way);
  registry.commit(id, { under_way: null });
  throw new DavitError('internal', message);
}
