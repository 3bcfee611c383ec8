import type { Fields } from './fields.ts';

/** Fields as lines, each with its end. */
export function linesOf(fields: Fields): string {
  let lines = '';
  for (let at = 0; at < fields.length; at += 2) lines += `${fields[at]}: ${fields[at + 1]}\r\n`;
  return lines;
}

/** The fields in lines that each have a colon and an end. */
export function fieldsIn(lines: string): string[] {
  const fields: string[] = [];
  for (let start = 0; start < lines.length; ) {
    const end = lines.indexOf('\r\n', start);
    const colon = lines.indexOf(':', start);
    fields.push(lines.slice(start, colon), lines.slice(colon + 1, end).trim());
    start = end + 2;
  }
  return fields;
}
