import { defineStore } from 'pinia';
import { computed, ref, shallowRef, triggerRef } from 'vue';
import type { Service, ServiceList } from '../../contract/services.ts';
import type { ServiceStats, Stats } from '../../contract/stats.ts';
import { api } from '../api/client.ts';
import { type ApiFailure, failureOf } from '../api/failure.ts';
import { useLive } from './live.ts';

/** Every service that this one may read, and the numbers of all, as they are now. */
export const useServices = defineStore('services', () => {
  const byId = shallowRef(new Map<string, Service>());
  const stats = shallowRef<Stats | null>(null);
  const isLoaded = ref(false);
  const failure = shallowRef<ApiFailure | null>(null);
  const all = computed(() => [...byId.value.values()].sort((a, b) => (a.id < b.id ? -1 : 1)));
  const numbers = computed(
    () => new Map<string, ServiceStats>(stats.value?.services.map((one) => [one.service, one])),
  );
  let isDue = false;
  /** What the stream has told since the list was asked for, which may be older than that once it is here. */
  let told: Map<string, Service | null> | null = null;

  /** Changes of many services at once are shown at once. */
  function show(): void {
    if (isDue) return;
    isDue = true;
    setTimeout(() => {
      isDue = false;
      triggerRef(byId);
    }, 100);
  }

  async function load(): Promise<void> {
    const since = new Map<string, Service | null>();
    told = since;
    try {
      const { services } = await api.get<ServiceList>('/services');
      // The one that was asked for later knows more.
      if (told !== since) return;
      const next = new Map(services.map((service) => [service.id, service]));
      for (const [id, service] of since) place(next, id, service);
      byId.value = next;
      isLoaded.value = true;
      failure.value = null;
    } catch (error) {
      failure.value = failureOf(error);
    } finally {
      if (told === since) told = null;
    }
  }

  function begin(): void {
    const live = useLive();
    live.on('connected', () => void load());
    live.on('skipped', () => void load());
    live.on('stats', (next) => {
      stats.value = next;
    });
    live.on('service', ({ id, service }) => {
      told?.set(id, service);
      place(byId.value, id, service);
      show();
    });
  }

  function end(): void {
    byId.value = new Map();
    stats.value = null;
    isLoaded.value = false;
    told = null;
  }

  return { byId, all, stats, numbers, isLoaded, failure, load, begin, end };
});

function place(services: Map<string, Service>, id: string, service: Service | null): void {
  if (service === null) services.delete(id);
  else services.set(id, service);
}
