/** What a figure has to reach, and whether it did. */
export interface Minimum {
  readonly what: string;
  readonly measured: string;
  readonly wanted: string;
  /** null: it could not be measured, for the reason that `measured` gives. */
  readonly held: boolean | null;
}

/** One table of results, and what stands behind it. */
export interface Report {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What the part has to reach. Default: nothing, it only compares. */
  readonly minimums?: readonly Minimum[];
  /** What a reader must know to judge the figures. */
  readonly notes: readonly string[];
  /** The single measurements, for `--json`. */
  readonly samples: Readonly<Record<string, unknown>>;
}

/** A report as a Markdown table, its columns aligned for a terminal. */
export function render({ title, columns, rows, minimums = [], notes }: Report): string {
  const verdicts = minimums.map(
    (minimum) =>
      `- **${verdict(minimum)}**: ${minimum.what}: ${minimum.measured} (wanted: ${minimum.wanted})`,
  );
  const remarks = notes.map((note) => `- ${note}`);
  return [`### ${title}`, '', ...table(columns, rows), '', ...verdicts, ...remarks, ''].join('\n');
}

/** Every minimum of every part in one table. */
export function renderSummary(reports: Readonly<Record<string, Report>>): string {
  const rows = Object.entries(reports).flatMap(([part, { minimums = [] }]) =>
    minimums.map((minimum) => [part, minimum.what, minimum.measured, minimum.wanted, verdict(minimum)]),
  );
  return ['### Minimums', '', ...table(['part', 'what', 'measured', 'wanted', ''], rows), ''].join('\n');
}

function verdict({ held }: Minimum): string {
  if (held === null) return 'not measured';
  return held ? 'held' : 'NOT HELD';
}

/** The first column is text, the others are figures. */
function table(columns: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = columns.map((_, at) =>
    Math.max(3, ...[columns, ...rows].map((cells) => (cells[at] ?? '').length)),
  );
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, at) => (at === 0 ? (cells[at] ?? '').padEnd(width) : (cells[at] ?? '').padStart(width))).join(' | ')} |`;
  const rule = `| ${widths.map((width, at) => (at === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [line(columns), rule, ...rows.map(line)];
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

/** A share for people: `0.42 %`. */
export function inPercent(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}

/** Seconds for people: `0.07 s`. */
export function inSeconds(seconds: number): string {
  return `${seconds.toFixed(2)} s`;
}
