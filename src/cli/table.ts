import CliTable from 'cli-table3';
import { safeText } from './text.ts';

export interface Column {
  readonly title: string;
  /** It takes what room is left and is cut first. At most one column of a table. */
  readonly isFlexible?: boolean;
  /** Left out where there is no room for all, the smallest number first. Without it, the column always stays. */
  readonly dropAt?: number;
  readonly paint?: (cell: string) => string;
}

const gap = 2;
const leastFlexible = 12;
const leastOther = 4;
const borders = [
  ...['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right'],
  ...['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid', 'middle'],
];
const noBorders = Object.fromEntries(borders.map((name) => [name, '']));

/** Which rows are drawn: from the one with that index, and how many. */
interface Part {
  readonly from: number;
  readonly count: number;
}

/**
 * Rows under titles, without borders, fit to a width. Cells are made safe here.
 * @param part the rows that are drawn, in columns in which all have room; default: all
 */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number,
  part: Part = { from: 0, count: rows.length },
): string {
  const cells = rows.map((row) => row.map(safeText));
  const widths = fitColumns(columns, naturalWidths(columns, cells), width);
  const kept = columns.map((_, index) => index).filter((index) => widths[index] !== null);
  const drawn = new CliTable({
    chars: noBorders,
    style: { 'padding-left': 0, 'padding-right': gap, head: [], border: [], compact: true },
    colWidths: kept.map((index) => (widths[index] ?? 0) + gap),
  });
  drawn.push(kept.map((index) => columns[index]?.title ?? ''));
  for (const row of cells.slice(part.from, part.from + part.count)) {
    drawn.push(kept.map((index) => columns[index]?.paint?.(row[index] ?? '') ?? row[index] ?? ''));
  }
  return drawn.toString().replace(/ +$/gm, '');
}

/** Names and what they stand for, one below another. Values are made safe here. */
export function facts(pairs: readonly (readonly [name: string, value: string | undefined])[]): string {
  const known = pairs.filter((pair): pair is readonly [string, string] => pair[1] !== undefined);
  const longest = Math.max(0, ...known.map(([name]) => name.length));
  return known.map(([name, value]) => `${`${name}:`.padEnd(longest + gap)} ${safeText(value)}`).join('\n');
}

/** The width of each column; null: left out. */
export function fitColumns(
  columns: readonly Column[],
  natural: readonly number[],
  width: number,
): (number | null)[] {
  const widths: (number | null)[] = columns.map((column, index) =>
    column.isFlexible ? Math.min(natural[index] ?? 0, leastFlexible) : (natural[index] ?? 0),
  );
  const byWorth = columns
    .map(({ dropAt }, index) => ({ dropAt: dropAt ?? Number.POSITIVE_INFINITY, index }))
    .filter(({ dropAt }) => dropAt < Number.POSITIVE_INFINITY)
    .sort((a, b) => a.dropAt - b.dropAt);
  for (const { index } of byWorth) if (total(widths) > width) widths[index] = null;
  shrinkWidest(widths, width);
  const flexible = columns.findIndex((column) => column.isFlexible);
  const current = widths[flexible];
  if (current != null) {
    widths[flexible] = Math.min(natural[flexible] ?? 0, Math.max(current, current + width - total(widths)));
  }
  return widths;
}

function shrinkWidest(widths: (number | null)[], width: number): void {
  while (total(widths) > width) {
    const widest = widths.reduce<number>(
      (best, each, index) => ((each ?? 0) > (widths[best] ?? 0) ? index : best),
      0,
    );
    const current = widths[widest] ?? 0;
    if (current <= leastOther) return;
    widths[widest] = current - 1;
  }
}

function total(widths: readonly (number | null)[]): number {
  const kept = widths.filter((each) => each !== null);
  return kept.reduce((sum, each) => sum + each, 0) + gap * Math.max(0, kept.length - 1);
}

function naturalWidths(columns: readonly Column[], rows: readonly (readonly string[])[]): number[] {
  return columns.map(({ title }, index) =>
    Math.max(title.length, ...rows.map((row) => row[index]?.length ?? 0)),
  );
}
