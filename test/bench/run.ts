import type { Contenders } from './contenders.ts';
import type { Report } from './report.ts';
import type { Sandbox } from './sandbox.ts';

/** What every measurement is given: among it, what the bench compares. */
export interface Run<Compared = Contenders> {
  readonly sandbox: Sandbox;
  readonly contenders: Compared;
  /** Few repetitions: shows that it works, its figures say little. */
  readonly quick: boolean;
}

export type Measurement<Compared = Contenders> = (run: Run<Compared>) => Promise<Report>;
