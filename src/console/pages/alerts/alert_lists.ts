import { type ComputedRef, computed, type InjectionKey, inject, provide } from 'vue';
import type { AlertRuleList, SilenceList } from '../../../contract/alerts.ts';
import type { NotifierList } from '../../../contract/notifiers.ts';
import type { SeriesCatalogue } from '../../../contract/stats.ts';
import { api } from '../../api/client.ts';
import { useClock } from '../../composables/clock.ts';
import { useLoaded } from '../../composables/loaded.ts';
import { useSession } from '../../stores/session.ts';
import { useReloadOn } from './reload_on.ts';

/** Every rule that this one may see. */
export function useRules() {
  const loaded = useLoaded((signal) => api.get<AlertRuleList>('/alert_rules', { signal }));
  useReloadOn(['alert_rule.'], loaded.load);
  const rules = computed(() => loaded.data.value?.rules ?? []);
  const byName = computed(() => new Map(rules.value.map((rule) => [rule.name, rule])));
  return { ...loaded, rules, byName };
}

/** Every silence that has not ended. */
export function useSilences() {
  const loaded = useLoaded((signal) => api.get<SilenceList>('/silences', { signal }));
  useReloadOn(['silence.'], loaded.load);
  const silences = computed(() => loaded.data.value?.silences ?? []);
  const byId = computed(() => new Map(silences.value.map((silence) => [silence.id, silence])));
  return { ...loaded, silences, byId };
}

/** Who is told; null where this one may not know. What waits and what went wrong is no event, and is asked for now and then. */
export function useNotifiers() {
  const session = useSession();
  const loaded = useLoaded<NotifierList | null>(
    async (signal) => (session.can('read', null) ? api.get<NotifierList>('/notifiers', { signal }) : null),
    [useClock()],
  );
  useReloadOn(['notifier.', 'alert.'], loaded.load);
  const notifiers = computed(() => loaded.data.value?.notifiers ?? null);
  return { ...loaded, notifiers };
}

type Series = SeriesCatalogue['series'][number];
const seriesKey: InjectionKey<ComputedRef<readonly Series[]>> = Symbol('series');

/** Asks what can be watched, once for everything on a page. */
export function provideSeries(): void {
  const { data } = useLoaded((signal) => api.get<SeriesCatalogue>('/metrics/series', { signal }));
  provide(
    seriesKey,
    computed(() => data.value?.series ?? []),
  );
}

/** What can be watched, and the same by name. */
export function useSeries() {
  const series = inject(
    seriesKey,
    computed(() => []),
  );
  const byName = computed(() => new Map(series.value.map((one) => [one.name as string, one])));
  return { series, byName };
}
