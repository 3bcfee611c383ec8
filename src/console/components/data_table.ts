/** A column of a table. */
export interface Column<Row> {
  /** Also the name of the slot `cell-<key>` that draws it. */
  readonly key: string;
  readonly label: string;
  /** What it is sorted by, and shown as where there is no slot. Absent: it cannot be sorted. */
  readonly value?: (row: Row) => string | number | null;
  readonly align?: 'start' | 'end';
  /** As CSS writes it. Default: what is left. */
  readonly width?: string;
  /** Below this width of the table's place, in pixels, the column is not shown. Cards of narrow screens show every one. */
  readonly from?: number;
}

/** Which column rows are sorted by: its key, with a `-` before it for the greatest first. Empty: as they come. */
export type Sort = string;

export function sortRows<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  sort: Sort,
): readonly Row[] {
  const isDown = sort.startsWith('-');
  const value = columns.find(({ key }) => key === (isDown ? sort.slice(1) : sort))?.value;
  if (value === undefined) return rows;
  const direction = isDown ? -1 : 1;
  // Each is asked for its value once: thousands of rows are compared many times.
  const valued = rows.map((row) => ({ row, value: value(row) }));
  valued.sort((a, b) => direction * compare(a.value, b.value, direction));
  return valued.map(({ row }) => row);
}

/** What is not known comes last, in both directions. */
function compare(a: string | number | null, b: string | number | null, direction: number): number {
  if (a === b) return 0;
  if (a === null) return direction;
  if (b === null) return -direction;
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a) < String(b) ? -1 : 1;
}
