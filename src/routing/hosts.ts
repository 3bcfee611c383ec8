/** What a pattern of hosts says: of any host, of one, or of all names that end in a suffix such as `.example.org`. */
export type HostPattern =
  | { readonly kind: 'any' }
  | { readonly kind: 'exact'; readonly host: string }
  | { readonly kind: 'below'; readonly suffix: string };

export function parseHost(pattern: string): HostPattern {
  if (pattern === '*') return { kind: 'any' };
  return pattern.startsWith('*.')
    ? { kind: 'below', suffix: pattern.slice(1) }
    : { kind: 'exact', host: pattern };
}

export function hostFits(pattern: HostPattern, host: string): boolean {
  if (pattern.kind === 'any') return true;
  if (pattern.kind === 'exact') return host === pattern.host;
  return host.length > pattern.suffix.length && host.endsWith(pattern.suffix);
}

/** How much a pattern says: an exact name more than any wildcard, a longer wildcard more than a shorter one. */
export function hostRank(pattern: HostPattern): number {
  if (pattern.kind === 'any') return 0;
  return pattern.kind === 'exact' ? Number.POSITIVE_INFINITY : pattern.suffix.length;
}
