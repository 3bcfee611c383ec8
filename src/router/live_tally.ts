import { type InstanceTraffic, latencyBounds } from '../contract/connections.ts';

/** What went through to one instance, as totals since it was first seen, and what is open with it now. */
export class LiveTally {
  readonly service: string;
  readonly instance: number;
  readonly release: number;
  readonly instance_id: string;
  open_requests = 0;
  open_websockets = 0;
  requests = 0;
  websockets = 0;
  failures = 0;
  retries = 0;
  bytes_in = 0;
  bytes_out = 0;
  readonly by_status = new Array<number>(5).fill(0);
  readonly latency = new Array<number>(latencyBounds.length + 1).fill(0);

  constructor(facts: Pick<InstanceTraffic, 'service' | 'instance' | 'release' | 'instance_id'>) {
    this.service = facts.service;
    this.instance = facts.instance;
    this.release = facts.release;
    this.instance_id = facts.instance_id;
  }

  get open(): number {
    return this.open_requests + this.open_websockets;
  }

  /** @param duration in milliseconds */
  answered(status: number, duration: number): void {
    const kind = Math.floor(status / 100) - 1;
    this.by_status[kind] = (this.by_status[kind] ?? 0) + 1;
    let place = 0;
    while (place < latencyBounds.length && duration > (latencyBounds[place] ?? 0)) place++;
    this.latency[place] = (this.latency[place] ?? 0) + 1;
  }

  show(ejected: boolean): InstanceTraffic {
    const { service, instance, release, instance_id, open_requests, open_websockets, requests } = this;
    const { websockets, by_status, failures, retries, bytes_in, bytes_out, latency } = this;
    return {
      service,
      instance,
      release,
      instance_id,
      open_requests,
      open_websockets,
      requests,
      websockets,
      by_status: [...by_status],
      failures,
      retries,
      bytes_in,
      bytes_out,
      latency: [...latency],
      ejected,
    };
  }
}
