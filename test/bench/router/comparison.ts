import { type Minimum, type Report, ratio } from '../report.ts';
import { middle, ratePerCore } from './load.ts';
import type { Result } from './tournament.ts';

/** The least ratio of davit's rate to that of others, by their name. */
export type Wanted = Readonly<Record<string, number>>;

export interface Comparison {
  /** What is counted, such as `messages/s`. */
  readonly unit: string;
  readonly results: readonly Result[];
  /** By the name of the trial. */
  readonly wanted: Readonly<Record<string, Wanted>>;
}

const own = 'davit';

/** The median of what the rounds of a proxy would have reached with a whole core each. */
export function typicalRate({ rounds }: Result): number {
  return middle(rounds, ratePerCore);
}

export const columns = (unit: string) =>
  ['', `${unit} per core`, 'of davit', `${unit} as measured`, 'p50', 'p99', 'cores busy'] as const;

/** A row for each proxy in each trial. */
export function rows({ results }: Comparison): string[][] {
  return results.map((result) => {
    const davit = ofTrial(results, result.trial, own);
    return [
      `${result.trial}: ${result.proxy}`,
      typicalRate(result).toFixed(0),
      davit === undefined ? '' : ratio(typicalRate(result), typicalRate(davit)),
      middle(result.rounds, ({ rate }) => rate).toFixed(0),
      `${middle(result.rounds, ({ p50 }) => p50).toFixed(2)} ms`,
      `${middle(result.rounds, ({ p99 }) => p99).toFixed(2)} ms`,
      middle(result.rounds, ({ cores }) => cores).toFixed(2),
    ];
  });
}

/** Whether davit reached what was wanted of it. */
export function minimums({ unit, results, wanted }: Comparison): Minimum[] {
  return Object.entries(wanted).flatMap(([trial, others]) =>
    Object.entries(others).map(([other, least]) => {
      const davit = ofTrial(results, trial, own);
      const compared = ofTrial(results, trial, other);
      const reached =
        davit === undefined || compared === undefined
          ? Number.NaN
          : typicalRate(davit) / typicalRate(compared);
      return {
        what: `${trial}: ${unit}, of those of ${other}`,
        measured: `${reached.toFixed(2)}×`,
        wanted: `at least ${least}×`,
        held: Number.isNaN(reached) ? null : reached >= least,
      };
    }),
  );
}

export function samples({ results }: Comparison): Report['samples'] {
  return { results };
}

function ofTrial(results: readonly Result[], trial: string, proxy: string): Result | undefined {
  return results.find((each) => each.trial === trial && each.proxy === proxy);
}

/** What is to be known of how rates were made comparable. */
export const methodNotes = [
  'Per core: what was measured, divided by the processor time that the proxy used for it; median of the rounds. Load and service are programs in C on another core, so that they are not what is measured.',
  'A proxy that is not busy on all of its core was held up by them, or by what else ran on the machine: then its latency and what was measured say little.',
] as const;
