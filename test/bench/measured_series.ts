import type { SeriesKey } from '../../src/contract/series.ts';

/** A series whose values are like those that are measured. */
export interface MeasuredSeries {
  readonly key: SeriesKey;
  next(): number;
}

const kinds: readonly [
  name: 'cpu' | 'memory' | 'latency' | 'ready',
  make: (random: () => number) => () => number,
][] = [
  ['cpu', (random) => () => random() * 0.5],
  ['memory', wandering],
  ['latency', (random) => () => 0.002 + random() * 0.03],
  ['ready', (random) => () => (random() < 0.001 ? 1 : 2)],
];

/** So many series, of which each kind is as frequent, with the same values in each run. */
export function sameSeries(count: number): MeasuredSeries[] {
  const random = repeatable();
  return Array.from({ length: count }, (_, index) => {
    const [name, make] = kinds[index % kinds.length] ?? ['cpu', () => random];
    return { key: `service.${name}:service-${Math.floor(index / kinds.length)}`, next: make(random) };
  });
}

/** Resident memory: whole pages, a few more or less each time. */
function wandering(random: () => number): () => number {
  let pages = Math.round(10_000 + random() * 50_000);
  return () => {
    pages = Math.max(1_000, pages + Math.round((random() - 0.5) * 40));
    return pages * 4_096;
  };
}

/** Numbers from 0 to 1 that look random (mulberry32). */
function repeatable(): () => number {
  let state = 1;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
