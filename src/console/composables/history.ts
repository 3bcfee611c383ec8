import { onScopeDispose, type Ref } from 'vue';
import type { MetricsAnswer, SeriesPoints } from '../../contract/stats.ts';
import { api } from '../api/client.ts';
import type { ChartLine } from '../components/chart_line.ts';
import { useLive } from '../stores/live.ts';
import { useFormat } from './format.ts';
import { useLoaded } from './loaded.ts';

/** What was measured, from `from` ago (such as `1h`) until now; it moves on as time does. */
export function useHistory(series: Ref<readonly string[]>, from: Ref<string>) {
  const loaded = useLoaded<MetricsAnswer | null>(
    async (signal) =>
      series.value.length === 0
        ? null
        : api.get<MetricsAnswer>('/metrics/query', {
            query: { series: series.value.join(','), from: from.value },
            signal,
          }),
    [series, from],
  );
  let last = Date.now();
  const stop = useLive().on('stats', () => {
    const step = (loaded.data.value?.step_seconds ?? 10) * 1000;
    if (Date.now() - last < Math.max(step, 9_000)) return;
    last = Date.now();
    void loaded.load();
  });
  onScopeDispose(stop);
  return loaded;
}

/** Writes a value of a series as people read it, by its unit. */
export function useUnits() {
  const format = useFormat();
  const formats: Readonly<Record<string, (value: number) => string>> = {
    ratio: (value) => format.ratio(value),
    bytes: (value) => format.size(value),
    'bytes/s': (value) => `${format.size(value)}/s`,
    seconds: (value) => (value < 1 ? `${format.number(value * 1000, 1)} ms` : `${format.number(value, 2)} s`),
    cores: (value) => format.cores(value),
    'count/s': (value) => `${format.number(value, 2)}/s`,
  };
  return (unit: string) => formats[unit] ?? ((value: number) => format.number(value, 2));
}

/** Makes lines of what was asked for. */
export function useChartLines() {
  const formatOf = useUnits();
  return (series: SeriesPoints, name: string): ChartLine => ({
    name,
    points: series.points,
    format: formatOf(series.unit),
  });
}
