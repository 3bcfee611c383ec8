import { fraction, mix } from './hash.ts';

/** A share of the requests. */
export interface SplitPart {
  readonly service: string;
  readonly weight: number;
}

interface Weighted {
  readonly weight: number;
}

/**
 * Chooses by weight: a part with twice the weight of another gets twice as much, one with weight 0 nothing.
 * null: none has a weight.
 * @param at from 0 to less than 1
 */
export function byWeight<P extends Weighted>(parts: readonly P[], at: number): P | null {
  const total = parts.reduce((sum, { weight }) => sum + weight, 0);
  let left = at * total;
  let last: P | null = null;
  for (const part of parts) {
    if (part.weight <= 0) continue;
    if (left < part.weight) return part;
    left -= part.weight;
    last = part;
  }
  return last;
}

/** Where the parts are chosen for a key, always the same; another place than that which the key has among instances. */
export function placeOf(key: number): number {
  return fraction(mix(key ^ 0x5bd1e995));
}
