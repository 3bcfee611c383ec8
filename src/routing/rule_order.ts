import type { RuleMatch } from '../contract/rules.ts';
import { hostRank, parseHost } from './hosts.ts';

interface Ordered {
  readonly id: string;
  readonly priority: number;
  readonly match: RuleMatch;
}

/**
 * Rules in the order in which they are tried: the higher priority first; of equals the one that says more of the host (a name,
 * then the longer wildcard), then of the path (exact, the longer prefix, an expression), then the one with more other conditions;
 * at last by id. Of several hosts the one that says least counts.
 */
export function inOrder<R extends Ordered>(rules: readonly R[]): R[] {
  return rules
    .map((rule) => ({ rule, rank: rankOf(rule) }))
    .sort((one, other) => compareRanks(one.rank, other.rank) || compareIds(one.rule.id, other.rule.id))
    .map(({ rule }) => rule);
}

/** Higher numbers first, from left to right. */
function rankOf({ priority, match }: Ordered): readonly number[] {
  const hosts = match.hosts.map((host) => hostRank(parseHost(host)));
  const host = hosts.length === 0 ? 0 : Math.min(...hosts);
  return [priority, host, ...pathRank(match), furtherConditions(match)];
}

function pathRank({ path, path_prefix, path_regex }: RuleMatch): [kind: number, length: number] {
  if (path !== null) return [3, 0];
  if (path_prefix !== null) return [2, path_prefix.length];
  return [path_regex === null ? 0 : 1, 0];
}

function furtherConditions({ methods, headers, query, cookies, networks, tags }: RuleMatch): number {
  const named = [headers, query, cookies].map((conditions) => Object.keys(conditions).length);
  const lists = [methods, networks].filter((list) => list.length > 0);
  return named.reduce((sum, count) => sum + count, lists.length + tags.length);
}

function compareRanks(one: readonly number[], other: readonly number[]): number {
  const place = one.findIndex((rank, index) => rank !== other[index]);
  return place === -1 ? 0 : (other[place] ?? 0) > (one[place] ?? 0) ? 1 : -1;
}

/** By code units: the same everywhere, whatever the locale. */
function compareIds(one: string, other: string): number {
  return one === other ? 0 : one < other ? -1 : 1;
}
