/** What is known of a release, to decide about its archive. */
export interface ReleaseFacts {
  readonly release: number;
  readonly outcome: string;
  readonly sha256: string | null;
}

export interface RetentionFacts {
  /** Newest first. */
  readonly releases: readonly ReleaseFacts[];
  /** Releases that run, are current, or are under way. */
  readonly inUse: ReadonlySet<number>;
  /** The SHA-256 of each archive that is there, newest first. */
  readonly uploads: readonly string[];
  /** How many are kept beside those in use that once ran well, and as many that never did. */
  readonly count: number;
}

/** The archives that stay: all that are in use, the last ones that ran well before, and the newest that nothing ran yet. */
export function keptArchives({ releases, inUse, uploads, count }: RetentionFacts): Set<string> {
  const archivesOf = (fits: (release: ReleaseFacts) => boolean) =>
    new Set(releases.filter(fits).flatMap(({ sha256 }) => sha256 ?? []));
  const used = archivesOf(({ release }) => inUse.has(release));
  const good = archivesOf(({ outcome }) => outcome === 'succeeded');
  const spare = [...good].filter((sha256) => !used.has(sha256));
  const untried = uploads.filter((sha256) => !good.has(sha256) && !used.has(sha256));
  return new Set([...used, ...spare.slice(0, count), ...untried.slice(0, count)]);
}
