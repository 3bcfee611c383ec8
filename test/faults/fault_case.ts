/** One fault at one step. */
export interface FaultCase {
  readonly fault: string;
  readonly step: string;
  /** Whether it is part of the short form. */
  readonly isQuick: boolean;
  /** Rejects with what did not hold. Resolves with what is worth to be said of how it held, or ''. */
  run(): Promise<string>;
}

/** Why a case cannot be tried on this host. */
export class NotTried extends Error {}

export function titleOf({ fault, step }: FaultCase): string {
  return `${fault}: ${step}`;
}
