import { getSystemErrorMessage } from 'node:util';
import { systemErrorCode } from '../lib/errors.ts';

/** What the system said, in its own words: `no such file or directory`, or the bare code where it has none. */
export function systemReason(error: unknown): string {
  const { errno } = error as { errno?: number };
  return errno === undefined ? systemErrorCode(error) : getSystemErrorMessage(errno);
}
