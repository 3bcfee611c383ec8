import { onScopeDispose } from 'vue';
import { useGathered } from '../../composables/gathered.ts';
import { useLive } from '../../stores/live.ts';

/** Loads anew once an event has happened whose type begins with one of `types`. */
export function useReloadOn(types: readonly string[], load: () => Promise<void>): void {
  const live = useLive();
  const soon = useGathered(load);
  const stops = [
    live.on('event', ({ type }) => {
      if (types.some((begin) => type.startsWith(begin))) soon();
    }),
    live.on('skipped', soon),
  ];
  onScopeDispose(() => {
    for (const stop of stops) stop();
  });
}
