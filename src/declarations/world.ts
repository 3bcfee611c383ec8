import type { ServiceState } from '../contract/services.ts';
import type { Spec } from '../contract/spec.ts';
import type { Registry } from '../services/registry.ts';
import { runningInstances, stateOf, wantedInstances } from '../services/service.ts';

/** An instance that has a process. */
export interface RunningInstance {
  readonly number: number;
  readonly port: number | null;
  /** Of the release that it runs. */
  readonly spec: Spec;
}

/** A service as a plan needs to know it. */
export interface KnownService {
  readonly id: string;
  /** Of the current release. */
  readonly spec: Spec;
  readonly current_release: number;
  readonly wanted: 'running' | 'stopped';
  readonly state: ServiceState;
  readonly scale: number | null;
  /** How many instances there are to be. */
  readonly instances: number;
  readonly declared_in: string | null;
  readonly running: readonly RunningInstance[];
}

/** What there is, at one moment. */
export type World = ReadonlyMap<string, KnownService>;

/** Every service that is registered, as it is now. */
export function readWorld(registry: Registry): World {
  return new Map(
    registry.services().map((service) => {
      const { id, current_release, wanted, scale, declared_in } = service;
      const spec = registry.spec(id);
      const running = runningInstances(service).map(({ number, port }) => ({
        number,
        port,
        spec: registry.specOf(id, number),
      }));
      const known: KnownService = {
        id,
        spec,
        current_release,
        wanted,
        state: stateOf(service, spec),
        scale,
        instances: wantedInstances(service, spec),
        declared_in,
        running,
      };
      return [id, known];
    }),
  );
}
