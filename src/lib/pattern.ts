import { RE2JS } from 're2js';
import { errorMessage } from './errors.ts';

/** Whether a text holds a match. */
export type Matches = (text: string) => boolean;

/**
 * A regular expression in RE2's syntax: whatever it is, it takes time linear in the text.
 * Throws an Error whose message says what is wrong, to stand after the place where it was given.
 */
export function compilePattern(pattern: string): Matches {
  if (!/[\\^$.|?*+()[\]{}]/.test(pattern)) return (text) => text.includes(pattern);
  try {
    const expression = RE2JS.compile(pattern);
    return (text) => expression.test(text);
  } catch (cause) {
    throw new Error(`is not a regular expression in RE2's syntax: ${errorMessage(cause)}`, { cause });
  }
}
