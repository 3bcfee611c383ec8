import type { Contenders } from './contenders.ts';
import type { Report } from './report.ts';
import type { Sandbox } from './sandbox.ts';

/** What every measurement is given. */
export interface Run {
  readonly sandbox: Sandbox;
  readonly contenders: Contenders;
  /** Few repetitions: shows that it works, its figures say little. */
  readonly quick: boolean;
}

export type Measurement = (run: Run) => Promise<Report>;
