import type { RuleMatch } from '../../src/contract/rules.ts';
import { match } from '../../src/contract/rules.ts';
import { RequestFacts } from '../../src/routing/facts.ts';
import type { RoutedRequest } from '../../src/routing/request.ts';
import type { Candidate } from '../../src/routing/strategies/strategy.ts';

export interface RequestParts extends Partial<Omit<RoutedRequest, 'header'>> {
  /** By name in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request of which only what matters is said. */
export function requestOf({ headers = {}, ...parts }: RequestParts = {}): RoutedRequest {
  const byName = new Map(Object.entries(headers));
  return {
    method: 'GET',
    host: 'example.org',
    path: '/',
    query: '',
    client: '192.0.2.1',
    is_tls: false,
    ...parts,
    header: (name) => byName.get(name),
  };
}

export function factsOf(parts: RequestParts = {}): RequestFacts {
  return new RequestFacts(requestOf(parts));
}

/** What a rule asks for, with all else left out. */
export function matchOf(parts: Partial<RuleMatch> = {}): RuleMatch {
  return match.parse(parts);
}

/** An instance that may be chosen. */
export function candidate(number: number, parts: Partial<Candidate> = {}): Candidate & { open: number } {
  return { id: `i-${number}`, number, release: 1, tags: new Set(), weight: 1, open: 0, ...parts };
}

/** Instances with the numbers from 1. */
export function pool(size: number, parts: Partial<Candidate> = {}): (Candidate & { open: number })[] {
  return Array.from({ length: size }, (_, index) => candidate(index + 1, parts));
}

/** Numbers from 0 to less than 1 that look random and are always the same (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
