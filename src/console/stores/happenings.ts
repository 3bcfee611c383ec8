import { defineStore } from 'pinia';
import { computed, ref, shallowRef } from 'vue';
import type { Alert, AlertList } from '../../contract/alerts.ts';
import type { Event, EventList } from '../../contract/events.ts';
import { api } from '../api/client.ts';
import { useLive } from './live.ts';

/** How many events are kept on the page. */
const keptEvents = 200;

/** What happened last, newest first, and the alerts that there are. */
export const useHappenings = defineStore('happenings', () => {
  const events = shallowRef<readonly Event[]>([]);
  const alerts = shallowRef<readonly Alert[]>([]);
  const isLoaded = ref(false);
  /** The ids of services whose last deployment failed; the same set for as long as these are the same. */
  const undeployed = computed<ReadonlySet<string>>((known) => {
    const next = failedDeployments(alerts.value, events.value);
    return known?.size === next.size && [...next].every((id) => known.has(id)) ? known : next;
  });

  async function load(): Promise<void> {
    const [eventList, alertList] = await Promise.all([
      api.get<EventList>('/events', { query: { limit: keptEvents } }),
      api.get<AlertList>('/alerts'),
    ]);
    events.value = eventList.events.toSorted((a, b) => b.id - a.id);
    alerts.value = alertList.alerts;
    isLoaded.value = true;
  }

  function begin(): void {
    const live = useLive();
    live.on('connected', () => void load().catch(() => undefined));
    live.on('skipped', () => void load().catch(() => undefined));
    live.on('event', (event) => {
      const [newest] = events.value;
      if (newest !== undefined && event.id <= newest.id) return;
      events.value = [event, ...events.value].slice(0, keptEvents);
    });
    live.on('alerts', (next) => {
      alerts.value = next.alerts;
    });
  }

  function end(): void {
    events.value = [];
    alerts.value = [];
    isLoaded.value = false;
  }

  return { events, alerts, undeployed, isLoaded, begin, end };
});

/** An alert says it for as long as it lasts; where no rule makes one, the newest event of the deployments of a service does. */
function failedDeployments(alerts: readonly Alert[], events: readonly Event[]): ReadonlySet<string> {
  const failed = new Set<string>();
  const known = new Set<string>();
  for (const { type, service } of events) {
    if (service === null || known.has(service) || !type.startsWith('deployment.')) continue;
    known.add(service);
    if (type === 'deployment.failed') failed.add(service);
  }
  for (const { rule, state, service } of alerts) {
    if (rule === 'deployment_failed' && state === 'firing' && service !== null) failed.add(service);
  }
  return failed;
}
