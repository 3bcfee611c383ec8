const durationUnits = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const sizeUnits = { B: 1, KB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 } as const;

const durationPattern = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
const sizePattern = /^(\d+(?:\.\d+)?)(B|KB|MB|GB|KiB|MiB|GiB)$/;

/** Milliseconds of a duration such as `500ms`, `5s`, `2m`, `1.5h`, `7d`. Throws RangeError on anything else. */
export function milliseconds(duration: string): number {
  const [, amount, unit] = durationPattern.exec(duration) ?? [];
  if (amount === undefined) throw new RangeError(`"${duration}" is not a duration such as 500ms, 5s or 2m`);
  return Number(amount) * durationUnits[unit as keyof typeof durationUnits];
}

/** Bytes of a size such as `512B`, `10MB` (10^6) or `10MiB` (2^20). Throws RangeError on anything else. */
export function bytes(size: string): number {
  const [, amount, unit] = sizePattern.exec(size) ?? [];
  if (amount === undefined) throw new RangeError(`"${size}" is not a size such as 512KB, 10MB or 1GiB`);
  return Math.round(Number(amount) * sizeUnits[unit as keyof typeof sizeUnits]);
}
