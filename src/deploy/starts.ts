import type { Attempt, CourseParts } from './course.ts';

/**
 * Starts the instances of a release at these places or, where an agent that died has started some, waits until these are
 * proved. When one fails, those of them that have not proved themselves are stopped, and this throws why.
 */
export async function startAt(
  { registry, supervisor }: CourseParts,
  { service, target: { release, spec }, under_way, steering }: Attempt,
  numbers: readonly number[],
): Promise<void> {
  const { actor, cause, is_deployment } = under_way;
  const trigger = is_deployment ? 'deploy' : 'manual';
  const failure = new AbortController();
  const signal = AbortSignal.any([failure.signal, steering.cancelled]);
  steering.cancelled.throwIfAborted();
  const starts = numbers.map((number) => {
    const { process } = registry.instance(service, number);
    if (process !== null) return supervisor.finishStart(service, number, spec, signal);
    return supervisor.start({ service, number, release, spec, actor, cause, trigger, signal });
  });
  try {
    await Promise.all(starts);
  } catch (error) {
    // Each that has not proved itself is stopped by its own start: nobody else can while it is being started.
    failure.abort();
    await Promise.allSettled(starts);
    steering.cancelled.throwIfAborted();
    throw error;
  }
}
