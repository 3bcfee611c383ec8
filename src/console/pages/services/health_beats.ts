import { computed, type Ref } from 'vue';
import { useI18n } from 'vue-i18n';
import type { Service } from '../../../contract/services.ts';
import { useFormat } from '../../composables/format.ts';
import { type Span, useServiceHistory } from '../../composables/service_history.ts';
import { missingInstances } from '../../composables/service_state.ts';
import { beatState } from './beat_state.ts';

/** The last half hour in minutes. */
const span: Span = { seconds: 1_800, step_seconds: 60 };
const count = span.seconds / span.step_seconds;

/** How many instances of each service were ready, minute by minute, up to now. */
export function useHealthBeats(ids: Ref<readonly string[]>) {
  const { t } = useI18n();
  const format = useFormat();
  const { data } = useServiceHistory(
    computed(() => ['service.ready', 'service.missing'] as const),
    ids,
    computed(() => span),
  );
  const points = computed(
    () => new Map((data.value ?? []).map((series) => [series.series, series.points.slice(-count)])),
  );
  // One text a minute, and not one for each minute of each service.
  const times = computed(() => {
    const [first] = points.value.values();
    return (first ?? []).map(([at]) => format.exact(at));
  });

  function text(time: string, ready: number, missing: number): string {
    return t('services.beat', {
      time,
      ready: format.number(ready, 1),
      wanted: format.number(ready + missing, 1),
    });
  }

  /** Its last beat is how the service is now. */
  return (service: Service) => {
    const { id, status } = service;
    const ready = points.value.get(`service.ready:${id}`) ?? [];
    const missing = points.value.get(`service.missing:${id}`) ?? [];
    const before = Array.from({ length: count - 1 }, (_, index) => {
      const at = ready.length - count + index;
      const [here, lacking] = [ready[at]?.[1] ?? null, missing[at]?.[1] ?? null];
      if (here === null || lacking === null) return { state: null, text: '' };
      return { state: beatState(here, lacking), text: text(times.value[at] ?? '', here, lacking) };
    });
    const [here, lacking] = [status.instances.ready, missingInstances(service)];
    return [...before, { state: beatState(here, lacking), text: text(t('services.now'), here, lacking) }];
  };
}
