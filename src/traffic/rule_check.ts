import type { NewRule } from '../contract/rules.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { compileRule } from '../routing/rule_set.ts';
import { matchProblems } from '../services/match_check.ts';

/**
 * Checks what only a router can tell: expressions, networks, placeholders. Throws `invalid_request` whose `details` name every
 * place that is wrong, where that is known.
 */
export function requireRule(rule: NewRule): void {
  const details = matchProblems('match', rule.match);
  const [first] = details;
  if (first !== undefined) {
    const more = details.length > 1 ? ` (and ${details.length - 1} more)` : '';
    throw new DavitError('invalid_request', `${first.path} in the rule: ${first.message}${more}`, {
      details,
    });
  }
  try {
    compileRule(rule);
  } catch (cause) {
    throw new DavitError('invalid_request', errorMessage(cause), { cause });
  }
}
