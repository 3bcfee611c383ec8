import { EventEmitter } from 'node:events';
import type { InstanceList } from '../contract/instances.ts';
import type { Release } from '../contract/releases.ts';
import type { ServiceStatus, Service as ShownService } from '../contract/services.ts';
import type { Spec } from '../contract/spec.ts';
import { nextTime } from '../lib/cron.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { KeyedLock } from '../lib/keyed_lock.ts';
import { closestName } from '../lib/validation.ts';
import { type Instance, instanceStatus } from './instance.ts';
import { type LifecycleEvent, nextState } from './lifecycle.ts';
import { freeNumbers, placesUpTo, withInstance, withoutPlaces, withPlaces } from './places.ts';
import { newRelease, type StoredRelease, showRelease } from './release.ts';
import { type Service, statusOf, stayingInstances, wantedInstances } from './service.ts';
import { ServiceWriter } from './service_writer.ts';
import { hideValues } from './spec.ts';
import { needsRestart } from './spec_changes.ts';
import type { ServiceStore } from './store.ts';

/** What may change of a service besides its instances. */
type ServiceChange = Partial<Omit<Service, 'id' | 'created_at' | 'instances'>>;
/** What may change of an instance besides its state. */
type InstanceChange = Partial<Omit<Instance, 'number' | 'state'>>;

/**
 * Every service, in memory and written through to the store, with one mutex per service.
 *
 * A new release is refused when it cannot be written. A change of state, which has already happened outside, is kept
 * in memory, and is written as soon as the store takes it again.
 */
export class Registry {
  /** Operations on one service run one after another; different services never wait for each other. */
  readonly lock = new KeyedLock();
  readonly #store: ServiceStore;
  readonly #writer: ServiceWriter;
  readonly #onProblem: (message: string) => void;
  readonly #services = new Map<string, Service>();
  readonly #specs = new Map<string, Spec>();
  readonly #emitter = new EventEmitter().setMaxListeners(0);
  #specsVersion = 0;

  constructor(store: ServiceStore, onProblem: (message: string) => void) {
    this.#store = store;
    this.#onProblem = onProblem;
    this.#writer = new ServiceWriter(store, (id) => this.find(id), onProblem);
    for (const service of store.services()) {
      this.#services.set(service.id, service);
      this.#cacheSpec(service);
    }
  }

  /** Rises whenever the spec of any service is another one. */
  get specsVersion(): number {
    return this.#specsVersion;
  }

  services(): Service[] {
    return [...this.#services.values()];
  }

  find(id: string): Service | null {
    return this.#services.get(id) ?? null;
  }

  /** Throws `service_not_found`, with the name that was probably meant. */
  get(id: string): Service {
    const service = this.#services.get(id);
    if (service !== undefined) return service;
    const meant = closestName(id, this.#services.keys());
    throw new DavitError(
      'service_not_found',
      `there is no service "${id}"${meant ? `; did you mean "${meant}"?` : ''}`,
    );
  }

  /** The spec of the current release. */
  spec(id: string): Spec {
    const { current_release } = this.get(id);
    return this.#specs.get(id) ?? this.release(id, current_release).spec;
  }

  /**
   * The spec by which an instance is judged: the current one, also where it was changed without a restart, but for an
   * instance of a release that is on trial, or of another one that is on its way out.
   */
  specOf(id: string, number: number): Spec {
    const service = this.get(id);
    const { under_way, current_release } = service;
    const instance = this.instance(id, number);
    const { process, draining } = instance;
    const isOnTrial =
      process !== null && (process.release > current_release || process.release === under_way?.release);
    const isOther = process !== null && draining?.is_leaving && this.#isOutdated(service, instance);
    return isOnTrial || isOther ? this.release(id, process.release).spec : this.spec(id);
  }

  /** Throws `instance_not_found`. */
  instance(id: string, number: number): Instance {
    const { instances } = this.get(id);
    const found = instances.find((each) => each.number === number);
    if (found !== undefined) return found;
    throw new DavitError(
      'instance_not_found',
      `service "${id}" has no instance ${number}: it has ${instances.map((each) => each.number).join(', ')}`,
    );
  }

  /** How many instances of a service there are to be. */
  wantedInstances(id: string): number {
    return wantedInstances(this.get(id), this.spec(id));
  }

  status(id: string): ServiceStatus {
    const service = this.get(id);
    const restart_required = stayingInstances(service).some((instance) =>
      this.#isOutdated(service, instance),
    );
    return statusOf(service, this.spec(id), { next_run: this.nextRun(id), restart_required });
  }

  instances(id: string): InstanceList {
    return { service: id, instances: this.get(id).instances.map(instanceStatus) };
  }

  /** When the schedule of a service is due next; null where it has none, or is stopped. */
  nextRun(id: string): Date | null {
    const { schedule } = this.spec(id);
    return schedule !== null && this.get(id).wanted === 'running' ? nextTime(schedule, new Date()) : null;
  }

  /** Calls `listener` with the id of each service of which anything changes, until the returned function is called. */
  subscribe(listener: (id: string) => void): () => void {
    this.#emitter.on('change', listener);
    return () => this.#emitter.off('change', listener);
  }

  show(id: string): ShownService {
    const { created_at, declared_in } = this.get(id);
    return {
      id,
      spec: hideValues(this.spec(id)),
      status: this.status(id),
      created_at: new Date(created_at).toISOString(),
      declared_in,
    };
  }

  /** Registers a service with its first release. Throws `service_exists`. */
  create(id: string, spec: Spec, reason: Release['reason'], actor: string): Service {
    if (this.#services.has(id)) throw new DavitError('service_exists', `service "${id}" exists already`);
    const service: Service = {
      id,
      created_at: Date.now(),
      wanted: 'stopped',
      current_release: 1,
      last_release: 1,
      runs: 0,
      scale: null,
      declared_in: null,
      instances: placesUpTo([], spec.instances),
      under_way: null,
    };
    this.#store.addRelease(service, newRelease(1, spec, reason, actor));
    this.#services.set(id, service);
    this.#specs.set(id, spec);
    this.#specsVersion += 1;
    return service;
  }

  /** Adds a release, without making it the current one, and returns its number. */
  addRelease(id: string, spec: Spec, reason: Release['reason'], actor: string): number {
    const service = this.get(id);
    const release = service.last_release + 1;
    const changed = { ...service, last_release: release };
    this.#store.addRelease(changed, newRelease(release, spec, reason, actor));
    this.#services.set(id, changed);
    return release;
  }

  /** Throws `release_not_found`. */
  release(id: string, release: number): StoredRelease {
    this.get(id);
    const found = this.#store.release(id, release);
    if (found === null)
      throw new DavitError('release_not_found', `service "${id}" has no release ${release}`);
    return found;
  }

  /** Newest first. */
  releases(id: string): Release[] {
    const { current_release } = this.get(id);
    return this.#store.releases(id).map((release) => showRelease(release, current_release));
  }

  showRelease(id: string, release: number): Release {
    return showRelease(this.release(id, release), this.get(id).current_release);
  }

  /** The newest release before the current one that once ran well. Throws `release_not_found`. */
  lastGoodRelease(id: string): StoredRelease {
    const { current_release } = this.get(id);
    const found = this.#store.lastGoodRelease(id, current_release);
    if (found !== null) return found;
    throw new DavitError(
      'release_not_found',
      `service "${id}" has no earlier release that ran well (the current one is ${current_release})`,
    );
  }

  /** Notes how the first start of a release went. */
  settleRelease(id: string, release: number, outcome: Release['outcome'], cause: string | null): void {
    try {
      this.#store.settleRelease(id, release, outcome, cause);
    } catch (error) {
      this.#onProblem(errorMessage(error));
    }
  }

  /** Changes facts of a service that can be found out again after a power cut, such as its pid. */
  update(id: string, change: ServiceChange): Service {
    return this.#replace({ ...this.get(id), ...change });
  }

  /** Changes what must be written before anything is done. Throws `storage_unavailable`, with nothing changed. */
  announce(id: string, change: ServiceChange): Service {
    const service = { ...this.get(id), ...change };
    this.#store.saveService(service);
    this.#services.set(id, service);
    this.#writer.forget(id);
    this.#emitter.emit('change', id);
    return service;
  }

  /** Changes what must be known after a power cut, and makes all that was written before last, too. */
  commit(id: string, change: ServiceChange = {}): Service {
    return this.#replace({ ...this.get(id), ...change }, true);
  }

  /** Takes an instance to the state that follows. Throws `state_conflict` where that cannot be, with nothing changed. */
  advance(id: string, number: number, event: LifecycleEvent, change: InstanceChange = {}): Instance {
    const instance = this.instance(id, number);
    return this.#replaceInstance(id, { ...instance, ...change, state: nextState(instance.state, event) });
  }

  /** Takes an instance to its next run: what `advance` and `update` would do, at once. */
  begin(id: string, number: number, run: number, change: InstanceChange): void {
    const service = this.get(id);
    const instance = this.instance(id, number);
    const begun: Instance = { ...instance, ...change, run, state: nextState(instance.state, 'start') };
    this.#replace({ ...service, runs: run, instances: withInstance(service.instances, begun) });
  }

  /** Changes facts of an instance that can be found out again after a power cut. */
  updateInstance(id: string, number: number, change: InstanceChange): Instance {
    return this.#replaceInstance(id, { ...this.instance(id, number), ...change });
  }

  /** Makes the places of a service those from 1 to `count`, and those where anything runs. */
  renumber(id: string, count: number): Service {
    const service = this.get(id);
    const numbers = service.instances.map(({ number }) => number);
    if (numbers.length === count && Math.max(...numbers) === count) return service;
    return this.#replace({ ...service, instances: placesUpTo(service.instances, count) });
  }

  /** Makes or removes places, so that `count` of them stay; only those without a process can go, the highest numbers first. */
  fitPlaces(id: string, count: number): void {
    const staying = stayingInstances(this.get(id));
    this.addPlaces(id, count - staying.length);
    const spare = staying.filter(({ process }) => process === null).map(({ number }) => number);
    this.removePlaces(id, spare.toReversed().slice(0, Math.max(0, staying.length - count)));
  }

  /** Makes so many places more, with the lowest numbers that are free. Returns these. */
  addPlaces(id: string, count: number, state: 'stopped' | 'pending' = 'stopped'): readonly number[] {
    const service = this.get(id);
    const numbers = freeNumbers(service.instances, count);
    if (numbers.length > 0)
      this.#replace({ ...service, instances: withPlaces(service.instances, numbers, state) });
    return numbers;
  }

  /** Makes a place with this number, unless there is one. */
  makePlace(id: string, number: number): void {
    const service = this.get(id);
    if (service.instances.some((each) => each.number === number)) return;
    this.#replace({ ...service, instances: withPlaces(service.instances, [number]) });
  }

  /** Removes places that have no process. */
  removePlaces(id: string, numbers: readonly number[]): void {
    const service = this.get(id);
    const instances = withoutPlaces(service.instances, numbers);
    if (instances.length < service.instances.length) this.#replace({ ...service, instances });
  }

  remove(id: string): void {
    this.#store.removeService(id);
    this.#services.delete(id);
    this.#specs.delete(id);
    this.#specsVersion += 1;
    this.#writer.forget(id);
    this.#emitter.emit('change', id);
  }

  /** Ends the retries; what could not be written until now is tried once more. */
  close(): void {
    this.#writer.close();
  }

  #replace(service: Service, lasting = false): Service {
    const releaseChanged = this.#services.get(service.id)?.current_release !== service.current_release;
    this.#services.set(service.id, service);
    if (releaseChanged) this.#cacheSpec(service);
    this.#writer.write(service, lasting);
    this.#emitter.emit('change', service.id);
    return service;
  }

  /** Whether an instance must be started anew to be as the current release says. */
  #isOutdated({ id, current_release }: Service, { process }: Instance): boolean {
    if (process === null || process.release === current_release) return false;
    return needsRestart(this.release(id, process.release).spec, this.spec(id));
  }

  #replaceInstance(id: string, instance: Instance): Instance {
    const service = this.get(id);
    this.#replace({ ...service, instances: withInstance(service.instances, instance) });
    return instance;
  }

  #cacheSpec({ id, current_release }: Service): void {
    const stored = this.#store.release(id, current_release);
    if (stored) this.#specs.set(id, stored.spec);
    this.#specsVersion += 1;
  }
}
