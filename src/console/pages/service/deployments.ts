import {
  type ComputedRef,
  computed,
  type InjectionKey,
  inject,
  onScopeDispose,
  provide,
  shallowRef,
} from 'vue';
import type { Deployment } from '../../../contract/deployments.ts';
import { api } from '../../api/client.ts';
import { useLoaded } from '../../composables/loaded.ts';
import { useLive } from '../../stores/live.ts';

/** How many are asked for. */
const shown = 100;

/** The deployments of the service of the page, newest first, as they go on. */
interface Deployments extends Pick<ReturnType<typeof useLoaded>, 'failure' | 'load'> {
  readonly all: ComputedRef<readonly Deployment[]>;
  readonly isLoaded: ComputedRef<boolean>;
  /** What is under way, that which acts before those that wait. */
  readonly current: ComputedRef<Deployment | null>;
}

const key: InjectionKey<Deployments> = Symbol('deployments');

/** Loads them for every part of the page, which has them by `useDeployments`. */
export function provideDeployments(id: string): Deployments {
  const { data, failure, load } = useLoaded<{ deployments: readonly Deployment[] }>((signal) =>
    api.get(`/services/${id}/deployments`, { query: { limit: shown }, signal }),
  );
  const told = shallowRef<ReadonlyMap<number, Deployment>>(new Map());
  const all = computed(() => merge(data.value?.deployments ?? [], told.value));
  const current = computed(() => {
    const those = all.value.filter(isUnderWay);
    return those.find(({ status }) => status !== 'waiting') ?? those.at(-1) ?? null;
  });
  const live = useLive();
  const stops = [
    live.on('deployment', ({ service, deployment }) => {
      if (service === id) told.value = new Map(told.value).set(deployment.id, deployment);
    }),
    live.on('skipped', () => void load()),
  ];
  onScopeDispose(() => {
    for (const stop of stops) stop();
  });
  const deployments = { all, current, failure, load, isLoaded: computed(() => data.value !== null) };
  provide(key, deployments);
  return deployments;
}

export function useDeployments(): Deployments {
  const deployments = inject(key);
  if (deployments === undefined) throw new Error('there is no page of a service around this');
  return deployments;
}

export function isUnderWay({ status }: Deployment): boolean {
  return status === 'waiting' || status === 'running' || status === 'baking';
}

/** An answer may have been made before what was told while it was under way: what has got further counts. */
function merge(loaded: readonly Deployment[], told: ReadonlyMap<number, Deployment>): readonly Deployment[] {
  const byId = new Map(told);
  for (const one of loaded) {
    const other = byId.get(one.id);
    if (other === undefined || progress(one) >= progress(other)) byId.set(one.id, one);
  }
  return [...byId.values()].sort((a, b) => b.id - a.id);
}

function progress({ steps, started_at, ended_at }: Deployment): number {
  return ended_at === null ? steps.length + (started_at === null ? 0 : 1) : Number.POSITIVE_INFINITY;
}
