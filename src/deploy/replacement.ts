import type { StopReport } from '../contract/answers.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import type { Registry } from '../services/registry.ts';
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

/**
 * Replaces what runs of a service by `release` and makes that the current one. The old process ends before the new one
 * starts: both may want the same port. Callers have checked that the new one can be started. When the new one fails, the old release is started again,
 * the current release stays what it was, and the error says what runs now in its field `restored`.
 */
export async function replaceRelease(
  parts: Parts,
  id: string,
  release: number,
  actor: string,
): Promise<Replacement> {
  const { registry, supervisor } = parts;
  const target = registry.release(id, release);
  const before = registry.get(id).process;
  const served = before && registry.release(id, before.release);
  const stop = served && (await supervisor.stop(id, served.spec.stop, { reason: 'stopped', actor }));
  try {
    const pid = await supervisor.start({ service: id, release, spec: target.spec, actor });
    settle(registry, id, target, null);
    registry.commit(id, { wanted: 'running', current_release: release });
    return { pid, stop };
  } catch (error) {
    settle(registry, id, target, errorMessage(error));
    if (!(error instanceof DavitError)) throw error;
    const restored = served && served.release !== release ? await restore(parts, id, served, actor) : null;
    throw new DavitError(error.code, error.message, {
      ...error,
      cause: error,
      fields: { ...error.fields, restored },
    });
  }
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

async function restore({ supervisor }: Parts, id: string, { release, spec }: StoredRelease, actor: string) {
  try {
    return { release, pid: await supervisor.start({ service: id, release, spec, actor }) };
  } catch {
    // Its own failure is an event; the answer tells of the deploy's.
    return null;
  }
}
