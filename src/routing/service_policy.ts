import type { Routing, StrategyName } from '../contract/balancing.ts';
import type { TableService } from '../contract/routing_table.ts';
import { milliseconds } from '../lib/units.ts';
import type { BreakerPolicy } from './circuit_breaker.ts';
import type { StrategyState } from './strategies/strategy.ts';

/** What a service says of its requests, with all times in milliseconds. */
export interface ServicePolicy {
  readonly strategy: StrategyName;
  readonly settings: StrategyState['settings'];
  readonly affinity: Routing['affinity'];
  /** By release; null: all releases are alike. */
  readonly shares: ReadonlyMap<number, number> | null;
  readonly slow_start: number;
  readonly breaker: BreakerPolicy;
  readonly max_percent: number;
  readonly max_requests: number | null;
  readonly retries: Routing['retries'];
  readonly timeouts: { readonly connect: number; readonly response: number; readonly idle: number | null };
  readonly hold: number | null;
  /** The weight of an instance that has become warm, by its number. */
  weightOf(number: number): number;
}

export function compilePolicy({ routing, hold, shares }: TableService): ServicePolicy {
  const { outliers, idle_timeout } = routing;
  return {
    strategy: routing.strategy,
    settings: { hash_by: routing.hash_by, load_factor: routing.load_factor },
    affinity: routing.affinity,
    shares: shares === null ? null : new Map(shares.map(({ release, weight }) => [release, weight])),
    slow_start: milliseconds(routing.slow_start),
    breaker: {
      consecutive_failures: outliers.consecutive_failures,
      base_time: milliseconds(outliers.base_time),
      max_time: milliseconds(outliers.max_time),
    },
    max_percent: outliers.max_percent,
    max_requests: routing.circuit_breaker.max_requests,
    retries: routing.retries,
    timeouts: {
      connect: milliseconds(routing.connect_timeout),
      response: milliseconds(routing.response_timeout),
      idle: idle_timeout === null ? null : milliseconds(idle_timeout),
    },
    hold,
    weightOf: weights(routing),
  };
}

function weights({ strategy, weights }: Routing): (number: number) => number {
  if (strategy !== 'weighted_round_robin') return () => 1;
  const byNumber = new Map(Object.entries(weights).map(([number, weight]) => [Number(number), weight]));
  return (number) => byNumber.get(number) ?? 1;
}

/** Whether instances of a release get new requests at all. */
export function takesRelease({ shares }: ServicePolicy, release: number): boolean {
  return shares === null || (shares.get(release) ?? 0) > 0;
}
