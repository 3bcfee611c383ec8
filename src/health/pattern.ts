import { RE2JS } from 're2js';
import type { Probe } from '../contract/probe.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';

/** What tells whether a text matches; null: every text does. Throws what RE2 says of an expression that is none. */
export function matcher(pattern: string | null): (text: string) => boolean {
  if (pattern === null) return () => true;
  const expression = RE2JS.compile(pattern);
  return (text) => expression.test(text);
}

/**
 * Throws `invalid_request` for a pattern of a probe that is no regular expression.
 * @param place where the probe stands, such as `readiness`
 */
export function checkPatterns(probe: Probe, place: string): void {
  for (const name of ['body', 'expect'] as const) {
    const pattern: unknown = Reflect.get(probe, name);
    if (typeof pattern !== 'string') continue;
    try {
      matcher(pattern);
    } catch (cause) {
      const path = `${place}.${name}`;
      const message = `is not a regular expression in RE2's syntax: ${errorMessage(cause)}`;
      throw new DavitError('invalid_request', `${path} ${message}`, { details: [{ path, message }], cause });
    }
  }
}
