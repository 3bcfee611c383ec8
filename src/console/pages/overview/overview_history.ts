import { computed, type Ref } from 'vue';
import { useI18n } from 'vue-i18n';
import type { SeriesName } from '../../../contract/series.ts';
import type { SeriesPoints } from '../../../contract/stats.ts';
import type { ChartLine } from '../../components/chart_line.ts';
import { useChartLines, useHistory } from '../../composables/history.ts';
import { useServiceHistory } from '../../composables/service_history.ts';
import { useServices } from '../../stores/services.ts';
import { useSession } from '../../stores/session.ts';
import { errorRatioOf, sumOf } from './sums.ts';

/** What a chart shows. */
interface Chart {
  readonly key: string;
  readonly title: string;
  readonly lines: readonly ChartLine[];
  /** The greatest value of its axis. */
  readonly most?: number;
}

/** How far back one can look, in seconds. */
export const ranges = { '1h': 3_600, '6h': 21_600, '24h': 86_400, '7d': 604_800 } as const;
/** Into how many steps a time is divided where the series of all services are put together. */
const steps = 60;
const ofHost: readonly SeriesName[] = ['host.cpu', 'host.memory', 'router.requests', 'router.connections'];
const ofTraffic: readonly SeriesName[] = ['service.requests', 'service.errors'];
const ofServices: readonly SeriesName[] = [
  ...ofTraffic,
  'service.cpu',
  'service.memory',
  'service.connections',
];

/** The charts of a time. Who may not read what concerns the host gets the sums of the services that he may read. */
export function useOverviewHistory(range: Ref<keyof typeof ranges>) {
  const { t } = useI18n();
  const session = useSession();
  const services = useServices();
  const lineOf = useChartLines();
  const isWhole = computed(() => session.can('read', null));
  const host = useHistory(
    computed(() => (isWhole.value ? ofHost : [])),
    range,
  );
  const all = useServiceHistory(
    computed(() => (isWhole.value ? ofTraffic : ofServices)),
    computed(() => services.all.map(({ id }) => id)),
    computed(() => ({ seconds: ranges[range.value], step_seconds: ranges[range.value] / steps })),
  );

  function line(name: string, series: SeriesPoints | undefined): ChartLine[] {
    return series === undefined ? [] : [lineOf(series, name)];
  }

  const charts = computed<Chart[]>(() => {
    const found = new Map(host.data.value?.series.map((series) => [series.name, series]));
    const byName = Map.groupBy(all.data.value ?? [], ({ name }) => name);
    const summed = (name: SeriesName): SeriesPoints | undefined => {
      const [first, ...rest] = byName.get(name) ?? [];
      return first && { ...first, points: sumOf([first, ...rest]) };
    };
    const requests = byName.get('service.requests') ?? [];
    const errors = byName.get('service.errors') ?? [];
    const [first] = errors;
    const ratio = first && { ...first, points: errorRatioOf(requests, errors) };
    const [cpu, memory] = [t('services.cpu'), t('services.memory')];
    const use: Chart[] = isWhole.value
      ? [
          {
            key: 'host',
            title: t('overview.use'),
            lines: [...line(cpu, found.get('host.cpu')), ...line(memory, found.get('host.memory'))],
            most: 1,
          },
        ]
      : [
          { key: 'cpu', title: cpu, lines: line(cpu, summed('service.cpu')) },
          { key: 'memory', title: memory, lines: line(memory, summed('service.memory')) },
        ];
    const sent = isWhole.value ? found.get('router.requests') : summed('service.requests');
    const open = isWhole.value ? found.get('router.connections') : summed('service.connections');
    const [requestsTitle, errorsTitle, openTitle] = [
      t('overview.requests'),
      t('overview.errors'),
      t('layout.connections'),
    ];
    return [
      ...use,
      { key: 'requests', title: requestsTitle, lines: line(requestsTitle, sent) },
      { key: 'errors', title: errorsTitle, lines: line(errorsTitle, ratio), ...axisOf(ratio?.points) },
      { key: 'connections', title: openTitle, lines: line(openTitle, open) },
    ];
  });
  const isLoaded = computed(() => all.data.value !== null && (!isWhole.value || host.data.value !== null));
  const failure = computed(() => host.failure.value ?? all.failure.value);

  async function load(): Promise<void> {
    await Promise.all([host.load(), all.load()]);
  }

  return { charts, failure, isLoaded, load };
}

/** An axis on which few errors are seen to be few, and which does not end above all of them. */
function axisOf(points: SeriesPoints['points'] = []): Pick<Chart, 'most'> {
  const greatest = Math.max(0, ...points.map(([, value]) => value ?? 0));
  if (greatest > 0.5) return { most: 1 };
  return greatest < 0.05 ? { most: 0.05 } : {};
}
