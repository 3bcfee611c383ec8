import type { InstanceTraffic } from '../../../contract/connections.ts';
import type { TrafficAnswer } from '../../../contract/traffic.ts';

/** How far back is looked, in milliseconds. */
const window_ms = 60_000;

/** What had gone through the routers at a time. */
export interface Sample {
  /** Milliseconds on a clock that is never set. */
  readonly at: number;
  readonly services: TrafficAnswer['services'];
}

/** An instance and its part of what its service got lately. */
export interface InstanceShare {
  readonly instance: number;
  readonly release: number;
  /** Requests and WebSocket connections lately. */
  readonly requests: number;
  /** Of both, now. */
  readonly open: number;
  /** From 0 to 1: of the requests lately; where there were none, of what is open; null: neither. */
  readonly share: number | null;
  readonly ejected: boolean;
}

export interface ServiceShare {
  readonly service: string;
  readonly instances: readonly InstanceShare[];
  /** Requests a second; null: not known yet. */
  readonly rate: number | null;
  readonly open: number;
}

/** Keeps those of the last time, and one that is as old, so that there is something to compare with. */
export function addSample(samples: readonly Sample[], next: Sample): Sample[] {
  return [...samples.filter(({ at }) => next.at - at <= window_ms), next];
}

/** What each service got since the first sample. An instance counts as one with that which had its number and release before. */
export function sharesOf(samples: readonly Sample[]): ServiceShare[] {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined) return [];
  const seconds = (last.at - first.at) / 1000;
  const before = new Map(
    first.services.flatMap(({ instances }) => instances.map((one) => [one.instance_id, countOf(one)])),
  );
  return last.services.map(({ service, instances }) => {
    const shares = instanceShares(instances, before, seconds > 0);
    const requests = sum(shares.map((one) => one.requests));
    const open = sum(shares.map((one) => one.open));
    return { service, instances: shares, rate: seconds > 0 ? requests / seconds : null, open };
  });
}

function instanceShares(
  instances: readonly InstanceTraffic[],
  before: ReadonlyMap<string, number>,
  isKnown: boolean,
): InstanceShare[] {
  const groups = new Map<string, Omit<InstanceShare, 'share'>>();
  for (const one of instances) {
    const key = `${one.instance}/${one.release}`;
    const group = groups.get(key);
    const requests = isKnown ? countOf(one) - (before.get(one.instance_id) ?? 0) : 0;
    const open = one.open_requests + one.open_websockets;
    groups.set(key, {
      instance: one.instance,
      release: one.release,
      requests: (group?.requests ?? 0) + Math.max(0, requests),
      open: (group?.open ?? 0) + open,
      ejected: one.ejected || (group?.ejected ?? false),
    });
  }
  const all = [...groups.values()].sort((a, b) => a.instance - b.instance || b.release - a.release);
  const requests = sum(all.map((one) => one.requests));
  const open = sum(all.map((one) => one.open));
  const share = (one: Omit<InstanceShare, 'share'>) => {
    if (requests > 0) return one.requests / requests;
    return open > 0 ? one.open / open : null;
  };
  return all.map((one) => ({ ...one, share: share(one) }));
}

function countOf({ requests, websockets }: InstanceTraffic): number {
  return requests + websockets;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
