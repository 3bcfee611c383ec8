import { constants } from 'node:os';

/** How a process ended; both are null when that is not known. */
export interface ExitStatus {
  readonly return_code: number | null;
  readonly signal: string | null;
}

export const unknownExit: ExitStatus = { return_code: null, signal: null };

/** A shell, and so the wrapper, gives 128 and the signal's number for what a signal ended. */
export function statusOfShell(code: number): ExitStatus {
  const signal = code > 128 ? signalNamed(code - 128) : undefined;
  return signal === undefined ? { return_code: code, signal: null } : { return_code: null, signal };
}

function signalNamed(number: number): string | undefined {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0];
}
