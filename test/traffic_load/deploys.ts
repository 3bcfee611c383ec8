import assert from 'node:assert/strict';
import type { Load } from './load.ts';
import { brokenKinds, type ReleaseKind } from './releases.ts';
import type { Stage } from './stage.ts';

interface DeploysOptions {
  readonly count: number;
  /** Which of them are broken: every so manieth. */
  readonly brokenEvery: number;
  /** Told of each that is done. */
  readonly onDeployed: (message: string) => void;
}

/** The version that serves before the first of them, and that of all that are broken. */
export const firstVersion = 'v0';
export const brokenVersion = 'broken';

/** Deploys one release after another: the good ones serve once they are deployed, and the broken ones change nothing. */
export async function deployManyTimes(stage: Stage, load: Load, options: DeploysOptions): Promise<void> {
  let serving = firstVersion;
  for (let number = 1; number <= options.count; number += 1) {
    const kind = kindOf(number, options.brokenEvery);
    const version = kind === 'good' ? `v${number}` : brokenVersion;
    const began = performance.now();
    const { status, body } = await stage.deploy(version, kind);
    const took = ((performance.now() - began) / 1_000).toFixed(1);
    assert.equal(status, kind === 'good' ? 200 : 422, `${version} (${kind}): ${JSON.stringify(body)}`);
    if (kind === 'good') serving = version;
    assert.deepEqual(await load.http.versions(), [serving], `after ${version} (${kind})`);
    load.assertNothingFailed();
    options.onDeployed(`${number}: ${kind}, answered with ${status} after ${took} s; ${serving} serves`);
  }
  await load.webSockets.allEcho();
  await stage.isWhole();
}

function kindOf(number: number, brokenEvery: number): ReleaseKind {
  if (number % brokenEvery !== 0) return 'good';
  return brokenKinds[(number / brokenEvery - 1) % brokenKinds.length] ?? 'exits';
}
