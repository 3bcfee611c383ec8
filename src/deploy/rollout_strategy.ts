import type { Spec } from '../contract/spec.ts';
import type { RolloutStrategy } from '../services/service.ts';

/**
 * How a spec is to replace what runs: as it says or, where it says nothing, beside what runs when connections come by its
 * routes and there is room for that.
 * @param numbers of the instances that run
 */
export function strategyOf(
  { rollout, routes, port, instances, type }: Spec,
  numbers: readonly number[],
): RolloutStrategy {
  if (numbers.length === 0 || type === 'task') return 'recreate';
  const isFixed = typeof port === 'number';
  // With fixed ports each instance takes the port of one before it, so there must be one of each number.
  const takesPlaces = isFixed && numbers.length > 1 && numbers.every((number, index) => number === index + 1);
  if (rollout.strategy !== null)
    return rollout.strategy === 'rolling' && isFixed && !takesPlaces ? 'recreate' : rollout.strategy;
  if (routes.length === 0) return 'recreate';
  if (!isFixed) return 'rolling';
  return takesPlaces && instances > 1 ? 'rolling' : 'recreate';
}

/** How many instances a rolling replacement starts at a time beside those that run; 0: each takes the place of an old one. */
export function surgeOf({ rollout: { max_surge }, port }: Spec, instances: number): number {
  if (typeof port === 'number') return 0;
  if (typeof max_surge === 'number') return Math.min(max_surge, instances);
  return Math.max(1, Math.ceil((instances * Number.parseInt(max_surge, 10)) / 100));
}

/** How many instances a canary has that gets `weight` percent of the requests. */
export function canaryInstances(weight: number, instances: number): number {
  return Math.max(1, Math.ceil((instances * weight) / 100));
}
