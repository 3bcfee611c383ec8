/** A line of a diff; `@`: lines that are equal were left out before it. */
export interface DiffLine {
  readonly sign: '+' | '-' | ' ' | '@';
  readonly text: string;
}

/** The lines of a unified diff, without its head. */
export function unifiedLines(diff: string): DiffLine[] {
  return diff
    .split('\n')
    .filter(
      (line, index, all) =>
        !(index < 2 && /^(---|\+\+\+) /.test(line)) && !(index === all.length - 1 && line === ''),
    )
    .filter((line) => !line.startsWith('\\'))
    .map((line) => {
      if (line.startsWith('@@')) return { sign: '@', text: line };
      const sign = line.startsWith('+') || line.startsWith('-') ? (line[0] as '+' | '-') : ' ';
      return { sign, text: line.slice(1) };
    });
}

/** What differs between two texts, with three lines around each change. What makes it is fetched when it is needed first. */
export async function linesBetween(from: string, to: string): Promise<DiffLine[]> {
  const { structuredPatch } = await import('diff');
  const { hunks } = structuredPatch('', '', from, to, '', '', { context: 3 });
  return hunks.flatMap(({ oldStart, newStart, lines }, index) => [
    ...(index > 0 || (oldStart > 1 && newStart > 1)
      ? [{ sign: '@' as const, text: `@@ ${oldStart} → ${newStart} @@` }]
      : []),
    ...unifiedLines(lines.join('\n')),
  ]);
}

/** What a spec says, as it would stand in a file. */
export async function yamlOf(value: unknown): Promise<string> {
  const { stringify } = await import('yaml');
  return stringify(value, { lineWidth: 0 });
}
