import { type Instance, newInstance } from './instance.ts';

/** The places from 1 to `count`, and those beyond them where anything runs. */
export function placesUpTo(present: readonly Instance[], count: number): Instance[] {
  const known = new Map(present.map((instance) => [instance.number, instance]));
  const first = Array.from({ length: count }, (_, index) => known.get(index + 1) ?? newInstance(index + 1));
  return [...first, ...present.filter(({ number, process }) => number > count && process !== null)];
}

/** So many of the lowest numbers that no place has. */
export function freeNumbers(present: readonly Instance[], count: number): readonly number[] {
  const taken = new Set(present.map(({ number }) => number));
  return Array.from({ length: taken.size + Math.max(0, count) }, (_, index) => index + 1)
    .filter((number) => !taken.has(number))
    .slice(0, Math.max(0, count));
}

/** The places with these beside them, by their numbers. */
export function withPlaces(
  present: readonly Instance[],
  numbers: readonly number[],
  state: 'stopped' | 'pending' = 'stopped',
): Instance[] {
  const added = numbers.map((number) => newInstance(number, state));
  return [...present, ...added].sort((a, b) => a.number - b.number);
}

/** The places without those of these numbers that have no process. */
export function withoutPlaces(present: readonly Instance[], numbers: readonly number[]): Instance[] {
  return present.filter(({ number, process }) => process !== null || !numbers.includes(number));
}

/** The places with one of them changed. */
export function withInstance(present: readonly Instance[], changed: Instance): Instance[] {
  return present.map((instance) => (instance.number === changed.number ? changed : instance));
}
