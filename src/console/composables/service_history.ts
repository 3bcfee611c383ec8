import { computed, onScopeDispose, type Ref } from 'vue';
import type { SeriesName } from '../../contract/series.ts';
import type { MetricsAnswer, SeriesPoints } from '../../contract/stats.ts';
import { api } from '../api/client.ts';
import { useLive } from '../stores/live.ts';
import { useLoaded } from './loaded.ts';
import { seriesLists } from './series_lists.ts';

/** From when on something is wanted, and how far its points are apart, in seconds. */
export interface Span {
  readonly seconds: number;
  readonly step_seconds: number;
}

/** What was measured of many services; it moves on as time does. Only those that there are are asked for, in as few calls as may be. */
export function useServiceHistory(
  names: Ref<readonly SeriesName[]>,
  ids: Ref<readonly string[]>,
  span: Ref<Span>,
) {
  const wanted = computed(() => ids.value.join());
  const loaded = useLoaded<readonly SeriesPoints[] | null>(
    async (signal) => {
      if (ids.value.length === 0 || names.value.length === 0) return null;
      const { seconds, step_seconds } = span.value;
      const found: SeriesPoints[] = [];
      for (const series of seriesLists(names.value, ids.value, Math.ceil(seconds / step_seconds) + 2)) {
        const query = { series, from: `${seconds}s`, step: `${step_seconds}s` };
        found.push(...(await api.get<MetricsAnswer>('/metrics/query', { query, signal })).series);
      }
      return found;
    },
    [wanted, names, span],
  );
  let last = Date.now();
  const stop = useLive().on('stats', () => {
    if (Date.now() - last < Math.max(span.value.step_seconds * 1000, 9_000)) return;
    last = Date.now();
    void loaded.load();
  });
  onScopeDispose(stop);
  return loaded;
}
