import type { Instance } from '../services/instance.ts';
import { type Service, stayingInstances, type UnderWay } from '../services/service.ts';

/** Which places are those of a replacement. */
type Places = Pick<UnderWay, 'places'>;

/** The places of the new release, whether anything runs there or not. */
export function newInstances(service: Service, { places }: Places): readonly Instance[] {
  return stayingInstances(service).filter(({ number }) => places.includes(number));
}

/** What ran before and is not to go yet. */
export function oldInstances(service: Service, { places }: Places): readonly Instance[] {
  return stayingInstances(service).filter(
    ({ number, process }) => process !== null && !places.includes(number),
  );
}

/** Those where nothing runs come first: to take such a place costs nothing. */
export function emptyFirst(instances: readonly Instance[]): readonly number[] {
  const isTaken = ({ process }: Instance) => Number(process !== null);
  return instances.toSorted((one, other) => isTaken(one) - isTaken(other)).map(({ number }) => number);
}

/** The places of what ran before, or should have, where nothing runs. */
export function oldPlaces(service: Service, { places }: Places): readonly Instance[] {
  return stayingInstances(service).filter(
    ({ number, process }) => process === null && !places.includes(number),
  );
}
