import type { TrafficCounts } from '../contract/connections.ts';

/** What a deployment needs of the routers. Where none run, all of it is so at once, and nothing is counted. */
export interface Traffic {
  /** Whether any request can reach the instances of a service through a router. */
  isRouted(service: string): boolean;
  /**
   * Resolves when every router acts by what the registry says of a service now, or has been given up on. At most a few
   * seconds: a router that does not answer must not keep a deployment from going on.
   */
  applied(service: string): Promise<void>;
  /** Resolves when routers have nothing open any more with an instance that drains, or `signal` ends the wait. */
  drained(instance_id: string, signal: AbortSignal): Promise<void>;
  /** How many instances of a release some router sends nothing new for now, because they failed. */
  ejected(service: string, release: number): number;
  /** What went through to instances of a release, since their routers first saw them; zeros where nothing did. */
  counts(service: string, release: number): TrafficCounts;
}
