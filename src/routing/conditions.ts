import type { RuleMatch, ValueCondition } from '../contract/rules.ts';
import { networkMatcher } from '../lib/addresses.ts';
import { errorMessage } from '../lib/errors.ts';
import { compilePattern } from '../lib/pattern.ts';
import type { RequestFacts } from './facts.ts';
import { type HostPattern, hostFits, parseHost } from './hosts.ts';
import { isWithin, matchPath } from './path.ts';

/** One thing that a request must be for a rule to fit. */
export interface Condition {
  holds(facts: RequestFacts): boolean;
  /** What of a request is otherwise, such as `the method is POST, not GET`. */
  differs(facts: RequestFacts): string;
}

/** All that a rule asks for, what costs least first. Throws an Error that says what cannot be understood. */
export function conditionsOf(match: RuleMatch): Condition[] {
  return [
    ...hostCondition(match.hosts),
    ...pathCondition(match),
    ...listCondition('method', match.methods, ({ request }) => request.method),
    ...tagCondition(match.tags),
    ...valueConditions('header', match.headers, headerValues),
    ...valueConditions('parameter', match.query, (facts, name) => facts.parameters(name)),
    ...valueConditions('cookie', match.cookies, (facts, name) => facts.cookies(name)),
    ...networkCondition(match.networks),
  ];
}

function hostCondition(hosts: readonly string[]): Condition[] {
  const patterns = hosts.map(parseHost);
  if (patterns.length === 0 || patterns.some(({ kind }) => kind === 'any')) return [];
  const fits = (host: string) => patterns.some((pattern: HostPattern) => hostFits(pattern, host));
  return [
    {
      holds: ({ request }) => fits(request.host),
      differs: ({ request }) => `the host is ${quoted(request.host)}, not ${oneOf(hosts)}`,
    },
  ];
}

function pathCondition({ path, path_prefix, path_regex }: RuleMatch): Condition[] {
  const differs =
    (wanted: string) =>
    ({ path: actual }: RequestFacts) =>
      `the path is ${quoted(actual ?? '')}, ${wanted}`;
  if (path !== null) {
    const exact = matchPath(path);
    return [{ holds: (facts) => exact !== null && facts.path === exact, differs: differs(`not ${path}`) }];
  }
  if (path_prefix !== null) {
    const prefix = matchPath(path_prefix);
    return [
      {
        holds: (facts) => facts.path !== null && prefix !== null && isWithin(facts.path, prefix),
        differs: differs(`not ${path_prefix} or below it`),
      },
    ];
  }
  if (path_regex === null) return [];
  const matches = patternAt('path_regex', path_regex);
  return [
    {
      holds: (facts) => facts.path !== null && matches(facts.path),
      differs: differs(`which ${path_regex} does not match`),
    },
  ];
}

function listCondition(
  noun: string,
  wanted: readonly string[],
  read: (facts: RequestFacts) => string,
): Condition[] {
  if (wanted.length === 0) return [];
  return [
    {
      holds: (facts) => wanted.includes(read(facts)),
      differs: (facts) => `the ${noun} is ${quoted(read(facts))}, not ${oneOf(wanted)}`,
    },
  ];
}

function tagCondition(wanted: readonly string[]): Condition[] {
  if (wanted.length === 0) return [];
  const missing = (facts: RequestFacts) => wanted.filter((tag) => !facts.tags.has(tag));
  return [
    {
      holds: (facts) => wanted.every((tag) => facts.tags.has(tag)),
      differs: (facts) => `the request does not ask for the tag ${missing(facts).join(' and ')}`,
    },
  ];
}

function networkCondition(networks: readonly string[]): Condition[] {
  if (networks.length === 0) return [];
  const holds = networkMatcher(networks);
  return [
    {
      holds: ({ request }) => holds(request.client),
      differs: ({ request }) => `the client is ${request.client}, not in ${oneOf(networks)}`,
    },
  ];
}

type Values = (facts: RequestFacts, name: string) => readonly string[];

function headerValues({ request }: RequestFacts, name: string): readonly string[] {
  const value = request.header(name);
  return value === undefined ? [] : [value];
}

function valueConditions(
  noun: string,
  conditions: Readonly<Record<string, ValueCondition>>,
  values: Values,
): Condition[] {
  return Object.entries(conditions).map(([name, condition]) => {
    const fits = valueTest(`${noun} ${name}`, condition);
    const differs = (facts: RequestFacts): string => {
      const found = values(facts, name);
      const actual = found.length === 0 ? 'absent' : found.map(quoted).join(' and ');
      return `the ${noun} ${name} is ${actual} and must ${wantedValue(condition)}`;
    };
    return { holds: (facts) => fits(values(facts, name)), differs };
  });
}

/** Of several values any one counts: a client could put before or behind the one that a rule looks for another one. */
function valueTest(place: string, condition: ValueCondition): (values: readonly string[]) => boolean {
  if (typeof condition === 'string') return (values) => values.includes(condition);
  if ('present' in condition) return (values) => values.length > 0 === condition.present;
  const matches = patternAt(place, condition.regex);
  return (values) => values.some(matches);
}

function wantedValue(condition: ValueCondition): string {
  if (typeof condition === 'string') return `be ${quoted(condition)}`;
  if ('present' in condition) return condition.present ? 'be there' : 'be absent';
  return `match ${condition.regex}`;
}

function patternAt(place: string, pattern: string): (text: string) => boolean {
  try {
    return compilePattern(pattern);
  } catch (cause) {
    throw new Error(`${place} ${errorMessage(cause)}`, { cause });
  }
}

const longestShown = 100;

function quoted(text: string): string {
  return JSON.stringify(text.length > longestShown ? `${text.slice(0, longestShown)}…` : text);
}

function oneOf(list: readonly string[]): string {
  const shown = list.slice(0, 5).join(' or ');
  return list.length > 5 ? `${shown} or one of ${list.length - 5} more` : shown;
}
