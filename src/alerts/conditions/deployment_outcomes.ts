import type { Deployment } from '../../contract/deployments.ts';

/** What the last deployments of a service came to, as far as none has succeeded since; the newest first. */
export interface Outcomes {
  readonly failed: readonly Deployment[];
  readonly rolled_back: readonly Deployment[];
}

/**
 * Reads the deployments of a service, the newest first. A release that was put back because it did worse than the one before
 * it counts as rolled back, every other failure as failed. What somebody rolled back was meant so, and is neither.
 */
export function outcomesOf(deployments: readonly Deployment[]): Outcomes {
  const success = deployments.findIndex(({ status }) => status === 'succeeded');
  const since = deployments.slice(0, success === -1 ? undefined : success);
  const isWorse = ({ code }: Deployment) => code === 'release_worse';
  const failures = since.filter(({ status }) => status === 'failed');
  return {
    failed: failures.filter((each) => !isWorse(each)),
    rolled_back: failures.filter(isWorse),
  };
}
