/** One table of results, and what stands behind it. */
export interface Report {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What a reader must know to judge the figures. */
  readonly notes: readonly string[];
  /** The single measurements, for `--json`. */
  readonly samples: Readonly<Record<string, unknown>>;
}

/** A report as a Markdown table, its columns aligned for a terminal. */
export function render({ title, columns, rows, notes }: Report): string {
  const widths = columns.map((_, at) =>
    Math.max(...[columns, ...rows].map((cells) => (cells[at] ?? '').length)),
  );
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, at) => (at === 0 ? (cells[at] ?? '').padEnd(width) : (cells[at] ?? '').padStart(width))).join(' | ')} |`;
  const rule = `| ${widths.map((width, at) => (at === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  const remarks = notes.map((note) => `- ${note}`);
  return [`### ${title}`, '', line(columns), rule, ...rows.map(line), '', ...remarks, ''].join('\n');
}

/** Milliseconds for people: `0.84 ms`, `12.3 ms`, `1050 ms`. */
export function inMilliseconds(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ms`;
}

/** Bytes for people, in MiB; null is what could not be read. */
export function inMebibytes(value: number | null): string {
  return value === null ? 'unknown' : `${(value / 2 ** 20).toFixed(1)} MiB`;
}

/** How many times `base` the value is: `3.4×`. */
export function ratio(value: number, base: number): string {
  const times = value / base;
  return `${times.toFixed(times < 10 ? 2 : times < 100 ? 1 : 0)}×`;
}
