/** A piece of a line that looks the same throughout. */
export interface LinePart {
  readonly text: string;
  /** Names of classes, with spaces between them. */
  readonly look: string;
  /** Colours that no class has. */
  readonly color?: string;
  readonly background?: string;
  /** Whether it is what was searched for. */
  readonly isFound?: boolean;
}

/** A piece of a text: where it begins, and where it ends. */
export type Range = readonly [number, number];
/** Finds what is searched for. */
export type Find = (text: string) => readonly Range[];

/** So much of a line is shown in its row, in characters; the rest is there when it is unfolded. */
export const shownCharacters = 2_000;
/** So many places of a line are marked. */
const mostFound = 100;

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
const invisible = /[\0-\x08\x0a-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Shows what could not be seen, or would change the order of what can, as a sign of its own. */
export function visible(text: string): string {
  return text.replace(invisible, (character) => {
    const code = character.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return code === 0x7f ? '\u2421' : '\ufffd';
  });
}

/** The same parts, cut where something begins or ends that was searched for. */
export function markFound(parts: readonly LinePart[], find: Find): LinePart[] {
  const ranges = find(parts.map(({ text }) => text).join('')).slice(0, mostFound);
  const marked: LinePart[] = [];
  let begin = 0;
  let next = 0;
  for (const part of parts) {
    const end = begin + part.text.length;
    for (let at = begin; at < end; ) {
      while (next < ranges.length && (ranges[next]?.[1] ?? 0) <= at) next += 1;
      const [from, to] = ranges[next] ?? [end, end];
      const isFound = from <= at;
      const until = Math.min(end, isFound ? to : from);
      const text = part.text.slice(at - begin, until - begin);
      marked.push(isFound ? { ...part, text, isFound } : { ...part, text });
      at = until;
    }
    begin = end;
  }
  return marked;
}

/** Finds a text. */
export function textFinder(text: string, isCaseSensitive: boolean): Find {
  const expression = new RegExp(escapeExpression(text), isCaseSensitive ? 'g' : 'gi');
  return (line) =>
    [...line.matchAll(expression)].map((match) => [match.index, match.index + match[0].length] as const);
}

/** An expression that fits this text and nothing else. */
export function escapeExpression(text: string): string {
  return text.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&');
}
