import { graphics } from './text.ts';

/** Signs of one column each are this far apart after a tab. */
const tabStop = 8;
const reset = '\u001b[0m';
/** Colours and the like that a part takes over from the one before it; more of them are forgotten, the oldest first. */
const mostGraphics = 16;

const nothing = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
const wide =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{17000}-\u{18aff}\u{1b000}-\u{1b2ff}\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{1fa70}-\u{1faff}\u{20000}-\u{3fffd}\p{Emoji_Presentation}]$/u;
const plain = /^[\x20-\x7e]*$/;

/** How many columns of a terminal a character takes. */
function columnsOf(character: string): number {
  if (character < '\u0300') return 1;
  return nothing.test(character) ? 0 : wide.test(character) ? 2 : 1;
}

/**
 * A line in parts of at most so many columns, as one after the other is asked for. It may have colours and other graphics
 * (CSI … m), which take no room: each part begins with those that are on and ends without any. Tabs become spaces.
 */
export function* wrapped(line: string, columns: number): Generator<string> {
  if (line.length <= columns && plain.test(line)) return yield line;
  let [part, used] = ['', 0];
  let active: string[] = [];
  for (const [index, text] of line.split(graphics).entries()) {
    if (index % 2 === 1) {
      active = /\[0*m$/.test(text) ? [] : [...active, text].slice(-mostGraphics);
      part += text;
      continue;
    }
    for (const character of text) {
      const isTab = character === '\t';
      const width = isTab
        ? Math.min(tabStop - (used % tabStop), Math.max(1, columns - used))
        : columnsOf(character);
      if (used > 0 && used + width > columns) {
        yield active.length > 0 ? part + reset : part;
        [part, used] = [active.join(''), 0];
      }
      part += isTab ? ' '.repeat(width) : character;
      used += width;
    }
  }
  yield active.length > 0 ? part + reset : part;
}

/** As much of a line, which may have graphics, as has room. */
export function cutToWidth(line: string, columns: number): string {
  return wrapped(line, columns).next().value ?? '';
}

/** As much of plain text as has room, and a sign where that is not all. */
export function clipped(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`;
}
