import type { LogLevel } from '../contract/scalars.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { compilePattern } from '../lib/pattern.ts';
import { isAtLeast } from './level.ts';

/** Whether a line is wanted. */
export type LineFilter = (line: string, level: LogLevel | null) => boolean;

/**
 * The filter for a regular expression (RE2's syntax: whatever it is, it takes time linear in the line) and a least level.
 * Throws `invalid_request` for an expression that is none.
 */
export function lineFilter(grep: string | undefined, least: LogLevel | undefined): LineFilter {
  const matches = grep === undefined ? () => true : textFilter(grep);
  if (least === undefined) return matches;
  return (line, level) => isAtLeast(level, least) && matches(line);
}

function textFilter(grep: string): (line: string) => boolean {
  try {
    return compilePattern(grep);
  } catch (cause) {
    const message = errorMessage(cause);
    throw new DavitError('invalid_request', `grep in the query: ${message}`, {
      details: [{ path: 'grep', message }],
      cause,
    });
  }
}
