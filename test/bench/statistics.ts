/** The smallest sample that at least `share` (0 to 1) of all samples do not exceed. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((left, right) => left - right);
  const found = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (found === undefined) throw new RangeError('no samples to take a quantile of');
  return found;
}

/** The middle sample; of an even number of samples, the lower of the two in the middle. */
export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}
