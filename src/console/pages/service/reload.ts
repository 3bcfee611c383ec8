import { onScopeDispose } from 'vue';
import { useGathered } from '../../composables/gathered.ts';
import { useLive } from '../../stores/live.ts';

/** Loads anew once something has happened to a service; what happens at once leads to one load. */
export function useReload(id: string, load: () => Promise<void>): void {
  const live = useLive();
  const soon = useGathered(load);
  const stops = [
    live.on('service', (told) => {
      if (told.id === id && told.service !== null) soon();
    }),
    live.on('event', (event) => {
      if (event.service === id && event.type !== 'service.deleted') soon();
    }),
    live.on('skipped', soon),
  ];
  onScopeDispose(() => {
    for (const stop of stops) stop();
  });
}

/** Loads anew each time that the agent has measured. */
export function useMeasuredReload(load: () => Promise<void>): void {
  onScopeDispose(useLive().on('stats', () => void load()));
}
