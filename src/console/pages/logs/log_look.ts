import type { MergedLine } from '../../../contract/merged_logs.ts';
import { ansiParts } from './ansi.ts';
import { jsonRowParts, readJsonLine } from './json_line.ts';
import { type Find, type LinePart, markFound, shownCharacters } from './line_parts.ts';

/** How all rows of a viewer look. */
export interface LogLook {
  readonly isWrapped: boolean;
  /** Whether what stands before a line stands in it: there is no room for columns. */
  readonly isNarrow: boolean;
  readonly isDark: boolean;
  readonly hasTimes: boolean;
  /** What of the writer is told: nothing, which instance, or which service too. */
  readonly whose: 'none' | 'instance' | 'service';
  readonly find: Find;
  /** What rows say besides, asked for once and not for each of them. */
  readonly texts: Readonly<Record<'unfold' | 'cut' | 'continues' | 'stderr', string>>;
}

/** Longer JSON is shown as it stands. */
const longestFolded = 20_000;

/** What of a line stands in its row. */
export function rowParts({ line }: MergedLine, { isDark, find }: LogLook): readonly LinePart[] {
  const object = line.length > longestFolded ? null : readJsonLine(line);
  if (object !== null) return markFound(jsonRowParts(object), find);
  return markFound(ansiParts(line.slice(0, shownCharacters), isDark), find);
}

/** Tells a line from every other one, also after it was loaded again. */
export function keyOf({ service, cursor }: MergedLine): string {
  return `${service} ${cursor}`;
}

/** `14:03:07.125`, in the zone of the browser. */
export function clockTime(time: string, hasMilliseconds = true): string {
  const date = new Date(time);
  const two = (value: number) => String(value).padStart(2, '0');
  const seconds = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return hasMilliseconds ? `${seconds}.${String(date.getMilliseconds()).padStart(3, '0')}` : seconds;
}

/** A line as it is copied. */
export function lineText({ time, service, instance, line }: MergedLine): string {
  return `${time} ${service}/${instance} ${line}`;
}
