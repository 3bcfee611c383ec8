import type { Deployment } from '../contract/deployments.ts';

/** What the last deployments of a service came to, as far as nothing has succeeded since. */
export interface Outcomes {
  readonly failed: Deployment | null;
  readonly rolled_back: Deployment | null;
}

/**
 * Reads the deployments of a service, the newest first. A release that was put back because it did worse than the one before
 * it counts as rolled back, as one does that somebody rolled back; every other failure as failed.
 */
export function outcomesOf(deployments: readonly Deployment[]): Outcomes {
  let [failed, rolled_back]: (Deployment | null)[] = [null, null];
  for (const deployment of deployments) {
    if (deployment.status === 'failed') {
      if (deployment.code === 'release_worse') rolled_back ??= deployment;
      else failed ??= deployment;
    }
    if (deployment.status !== 'succeeded') continue;
    if (isRollback(deployment)) rolled_back ??= deployment;
    break;
  }
  return { failed: failed ?? null, rolled_back: rolled_back ?? null };
}

/** Whether it went back to a release from before the one that ran. */
function isRollback({ release, previous_release }: Deployment): boolean {
  return release !== null && previous_release !== null && release < previous_release;
}
