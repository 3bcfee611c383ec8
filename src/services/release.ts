import type { Release } from '../contract/releases.ts';
import type { Spec } from '../contract/spec.ts';
import { hideValues } from './spec.ts';

/** A release as it is kept: with the values of `env`. */
export interface StoredRelease {
  readonly release: number;
  readonly spec: Spec;
  readonly reason: Release['reason'];
  readonly outcome: Release['outcome'];
  readonly cause: string | null;
  readonly created_at: number;
  readonly created_by: string;
}

/** One that has never been started. */
export function newRelease(
  release: number,
  spec: Spec,
  reason: Release['reason'],
  actor: string,
): StoredRelease {
  return {
    release,
    spec,
    reason,
    outcome: 'pending',
    cause: null,
    created_at: Date.now(),
    created_by: actor,
  };
}

/** As it is shown: without the values of `env`. */
export function showRelease(stored: StoredRelease, current: number): Release {
  const { release, reason, outcome, cause, created_by } = stored;
  const created_at = new Date(stored.created_at).toISOString();
  return {
    release,
    spec: hideValues(stored.spec),
    reason,
    outcome,
    cause,
    created_at,
    created_by,
    current: release === current,
  };
}
