import type { RuleMatch } from '../contract/rules.ts';
import { type HostPattern, hostFits, parseHost } from './hosts.ts';
import { firstSegment, matchPath } from './path.ts';

interface Matching {
  readonly match: RuleMatch;
}

/**
 * Rules by the hosts and by the first segments of the paths that they name, so that few are left to be looked at for a request.
 * The lists are made when they are first needed, one for each host, suffix and segment that a rule names: what requests
 * name besides shares one list, so that no client makes this grow.
 */
export class RuleIndex<R extends Matching> {
  readonly #rules: readonly R[];
  readonly #hosts = new Set<string>();
  readonly #suffixes = new Set<string>();
  readonly #byHost = new Map<string, PathIndex<R>>();

  /** @param rules in the order in which they are tried */
  constructor(rules: readonly R[]) {
    this.#rules = rules;
    for (const pattern of rules.flatMap(({ match }) => match.hosts).map(parseHost)) {
      if (pattern.kind === 'exact') this.#hosts.add(pattern.host);
      if (pattern.kind === 'below') this.#suffixes.add(pattern.suffix);
    }
  }

  /** Every rule that may fit, in the order in which they are tried. */
  candidates(host: string, path: string): readonly R[] {
    const key = this.#keyOf(host);
    let index = this.#byHost.get(key);
    if (index === undefined) {
      index = new PathIndex(this.#rules.filter(({ match }) => mayFitHost(match.hosts, key)));
      this.#byHost.set(key, index);
    }
    return index.candidates(path);
  }

  /** The host itself if a rule names it, else the longest suffix of it that one names, else ''. */
  #keyOf(host: string): string {
    if (this.#hosts.has(host)) return host;
    if (this.#suffixes.size === 0) return '';
    // A client may send a host of thousands of dots.
    const first = Math.max(1, host.length - longestSuffix);
    for (let dot = host.indexOf('.', first); dot !== -1; dot = host.indexOf('.', dot + 1)) {
      const suffix = host.slice(dot);
      if (this.#suffixes.has(suffix)) return suffix;
    }
    return '';
  }
}

/** The contract lets no rule name a longer one. */
const longestSuffix = 253;

/** @param key a host, or a suffix that begins with a dot */
function mayFitHost(hosts: readonly string[], key: string): boolean {
  if (hosts.length === 0) return true;
  const isSuffix = key.startsWith('.');
  const fits = (pattern: HostPattern) =>
    pattern.kind === 'below' && isSuffix ? key.endsWith(pattern.suffix) : hostFits(pattern, key);
  return hosts.map(parseHost).some(fits);
}

/** Rules by the first segments of the paths that they name. */
class PathIndex<R extends Matching> {
  readonly #bySegment = new Map<string, readonly R[]>();
  readonly #others: readonly R[];

  constructor(rules: readonly R[]) {
    const segments = rules.map(({ match }) => segmentOf(match));
    for (const segment of new Set(segments.filter((each) => each !== null)))
      this.#bySegment.set(
        segment,
        rules.filter((_, index) => segments[index] === segment || segments[index] === null),
      );
    this.#others = rules.filter((_, index) => segments[index] === null);
  }

  candidates(path: string): readonly R[] {
    if (this.#bySegment.size === 0) return this.#others;
    return this.#bySegment.get(firstSegment(path)) ?? this.#others;
  }
}

/** The first segment that the path of a request must have; null: any. */
function segmentOf({ path, path_prefix }: RuleMatch): string | null {
  const normal = matchPath(path ?? path_prefix ?? '/');
  return normal === null || firstSegment(normal) === '' ? null : firstSegment(normal);
}
