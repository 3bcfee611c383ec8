/** Values of which some are not known, at equal distances, the oldest first. */
export type Values = readonly (number | null)[];

/** What the lowest and the highest sign stand for. */
export interface Scale {
  readonly least: number;
  readonly greatest: number;
}

const blocks = '▁▂▃▄▅▆▇█';
const unknown = '·';

/**
 * A small chart of so many signs, the newest at its end; what is not known is a dot. Where there are more values, a sign
 * stands for the greatest of several.
 * @param given what is left out is the least and the greatest of the values
 */
export function sparkline(values: Values, width: number, given: Partial<Scale> = {}): string {
  const signs = atMost(values, Math.max(0, width));
  const known = signs.filter((value) => value !== null);
  const scale = { least: Math.min(...known), greatest: Math.max(...known), ...given };
  const line = signs.map((value) => (value === null ? unknown : block(value, scale))).join('');
  return line.padStart(width, unknown);
}

function block(value: number, { least, greatest }: Scale): string {
  const share = greatest > least ? (value - least) / (greatest - least) : 0;
  return blocks[Math.min(blocks.length - 1, Math.max(0, Math.round(share * (blocks.length - 1))))] ?? '';
}

function atMost(values: Values, width: number): Values {
  if (values.length <= width) return values;
  return Array.from({ length: width }, (_, index) => {
    const [from, to] = [index, index + 1].map((each) => Math.floor((each * values.length) / width));
    const part = values.slice(from, to).filter((value) => value !== null);
    return part.length === 0 ? null : Math.max(...part);
  });
}
