import { shownCharacters } from './line_parts.ts';
import type { LogLook } from './log_look.ts';
import type { Entry } from './log_window.ts';

/** How high a row of one line is, in pixels, and how wide a character. */
const rowHeight = 20;
const characterWidth = 7.53;
/** What stands before every line besides its columns: edges, gaps and the button. */
const edges = 60;

/** How high a row probably is, in pixels, in a viewer that is so wide. */
export function estimateHeight(
  { line }: Entry,
  look: LogLook,
  width: number,
  whoseCharacters: number,
): number {
  if (line === null) return 25;
  if (!look.isWrapped) return rowHeight;
  const before = (look.hasTimes ? 13 : 0) + (look.whose === 'none' ? 0 : whoseCharacters + 1);
  const own = Math.min(line.line.length, shownCharacters);
  const room = Math.max(10, Math.floor((width - edges) / characterWidth));
  if (look.isNarrow) return Math.ceil((own + before) / room) * rowHeight + 4;
  return Math.max(1, Math.ceil(own / Math.max(10, room - before))) * rowHeight;
}
