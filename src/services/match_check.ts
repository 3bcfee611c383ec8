import type { RuleMatch, ValueCondition } from '../contract/rules.ts';
import { isNetwork } from '../lib/addresses.ts';
import { type ErrorDetail, errorMessage } from '../lib/errors.ts';
import { compilePattern } from '../lib/pattern.ts';

/** What only a library can tell of conditions on a request: expressions and networks that are none. `path` is theirs. */
export function matchProblems(path: string, match: RuleMatch): ErrorDetail[] {
  const networks = match.networks.flatMap((network, index) =>
    isNetwork(network)
      ? []
      : [{ path: `${path}.networks.${index}`, message: 'must be a network such as 10.0.0.0/8' }],
  );
  return [
    ...patternProblem(`${path}.path_regex`, match.path_regex),
    ...(['headers', 'query', 'cookies'] as const).flatMap((part) =>
      Object.entries(match[part]).flatMap(([name, condition]) =>
        patternProblem(`${path}.${part}.${name}.regex`, expressionOf(condition)),
      ),
    ),
    ...networks,
  ];
}

/** What is wrong with a regular expression, if it is one at all and something is. */
export function patternProblem(path: string, pattern: string | null): ErrorDetail[] {
  if (pattern === null) return [];
  try {
    compilePattern(pattern);
    return [];
  } catch (error) {
    return [{ path, message: errorMessage(error) }];
  }
}

function expressionOf(condition: ValueCondition): string | null {
  return typeof condition === 'object' && 'regex' in condition ? condition.regex : null;
}
