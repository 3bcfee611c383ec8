import type { Spec } from '../contract/spec.ts';

/** A service whose fixed ports another one has too. */
export interface PortClash {
  readonly service: string;
  readonly message: string;
}

/** Services that ask for the same port: each with those before it, whose instances may take several in a row. */
export function findPortClashes(
  services: ReadonlyMap<string, Pick<Spec, 'port' | 'instances'>>,
): PortClash[] {
  const ranges = [...services].flatMap(([service, { port, instances }]) =>
    typeof port === 'number' ? [{ service, first: port, last: port + instances - 1 }] : [],
  );
  return ranges.flatMap((range, index) => {
    const other = ranges
      .slice(0, index)
      .find(({ first, last }) => first <= range.last && range.first <= last);
    if (other === undefined) return [];
    const shared = Math.max(range.first, other.first);
    return [{ service: range.service, message: `takes port ${shared}, which "${other.service}" takes too` }];
  });
}
