/** Ports from the first to the last, both included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** The ports of a range such as `20000-29999`. Throws RangeError on anything else. */
export function portRange(text: string): PortRange {
  const [, from, to] = /^(\d{1,5})-(\d{1,5})$/.exec(text) ?? [];
  const [first, last] = [Number(from), Number(to)];
  if (from === undefined || first < 1 || last > 65_535 || first > last)
    throw new RangeError(`"${text}" is not a range of ports such as 20000-29999`);
  return { first, last };
}
