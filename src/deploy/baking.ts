import { setTimeout as sleep } from 'node:timers/promises';
import { DavitError } from '../lib/errors.ts';
import { milliseconds } from '../lib/units.ts';
import { isReady } from '../services/instance.ts';
import { countsSince, whatIsWorse } from './bake.ts';
import type { Attempt, CourseParts } from './course.ts';

/** How often the two releases are compared, in milliseconds. */
const interval = 500;

/**
 * Compares the new release with the one before for as long as its spec says. Throws `release_worse` where it does worse than
 * it may and that is to be undone; it is only said otherwise.
 */
export async function bake(parts: CourseParts, attempt: Attempt): Promise<void> {
  const { service: id, target, steering } = attempt;
  const { bake: time, auto_rollback } = target.spec.rollout;
  const isManual = time === 'manual';
  const length = isManual ? Number.POSITIVE_INFINITY : milliseconds(time);
  if (length === 0 || (!isManual && !parts.traffic.isRouted(id))) return;
  const until = isManual ? 'until it is promoted' : `for ${time}`;
  steering.step(
    `Release ${target.release} is compared with the one before ${until}`,
    isManual ? 'baking_until_promoted' : 'baking',
  );
  const compare = comparison(parts, attempt);
  const end = performance.now() + length;
  const promoted = new AbortController();
  void steering.promoted.then(() => promoted.abort());
  // Made once: it may be waited on for days.
  const woken = AbortSignal.any([promoted.signal, steering.cancelled, steering.interrupted]);
  while (!promoted.signal.aborted && performance.now() < end) {
    await pause(Math.min(interval, end - performance.now()), woken);
    steering.interrupted.throwIfAborted();
    steering.cancelled.throwIfAborted();
    await parts.reconciler.attend(id);
    const worse = compare();
    if (worse === null) continue;
    const sentence = `release ${target.release} does worse than the one before: ${worse}`;
    if (auto_rollback) throw new DavitError('release_worse', sentence);
    steering.step(`${sentence}; it stays, as its rollout says`);
    return;
  }
}

/** What asks again and again what the new release does worse since now. */
function comparison({ registry, traffic }: CourseParts, attempt: Attempt): () => string | null {
  const { service: id, target } = attempt;
  const { tolerance } = target.spec.rollout;
  const instances = () =>
    registry.get(id).instances.filter(({ number }) => attempt.under_way.places.includes(number));
  const restartsNow = () => instances().reduce((sum, { restarts }) => sum + restarts.count, 0);
  const atFirst = { counts: traffic.counts(id, target.release), restarts: restartsNow() };
  const old = attempt.under_way.before?.release ?? 0;
  return () =>
    whatIsWorse(
      {
        now: countsSince(atFirst.counts, traffic.counts(id, target.release)),
        before: traffic.counts(id, old),
        restarts:
          restartsNow() - atFirst.restarts + instances().filter(({ state }) => state === 'failed').length,
        ejected: traffic.ejected(id, target.release),
        not_ready: instances().filter((instance) => instance.state === 'running' && !isReady(instance))
          .length,
      },
      tolerance,
    );
}

async function pause(time: number, signal: AbortSignal): Promise<void> {
  await sleep(Math.max(0, time), undefined, { signal }).catch(() => {
    // Who waits for it asks why.
  });
}
