import type { FaultCase } from './fault_case.ts';
import { clockCases } from './parts/clock.ts';
import { diskCases } from './parts/disk.ts';
import { killCases } from './parts/kills.ts';
import { limitCases } from './parts/limits.ts';
import { logFolderCases } from './parts/log_folder.ts';
import { procCases } from './parts/proc.ts';
import { randomCases } from './parts/random.ts';
import { refusalCases } from './parts/refusals.ts';
import { retentionCases } from './parts/retention.ts';
import { rolloutCases } from './parts/rollouts.ts';
import { stateFileCases } from './parts/state_files.ts';
import { supervisionCases } from './parts/supervision.ts';
import { twoAgentCases } from './parts/two_agents.ts';

export interface CaseOptions {
  /** From what random choices are made. */
  readonly seed: number;
  /** How many steps a random sequence has. */
  readonly rounds: number;
}

/** Every fault at every step. */
export function allCases({ seed, rounds }: CaseOptions): FaultCase[] {
  return [
    ...clockCases(),
    ...diskCases(),
    ...killCases(),
    ...limitCases(),
    ...logFolderCases(),
    ...procCases(),
    ...randomCases(seed, rounds),
    ...refusalCases(),
    ...retentionCases(),
    ...rolloutCases(),
    ...stateFileCases(),
    ...supervisionCases(),
    ...twoAgentCases(),
  ];
}
