import { useI18n } from 'vue-i18n';
import type { AlertRule } from '../../../contract/alerts.ts';
import { useUnits } from '../../composables/history.ts';
import { useSeries } from './alert_lists.ts';

/** Rules and their values in words. */
export function useRuleWords() {
  const { t } = useI18n();
  const formatOf = useUnits();
  const { byName } = useSeries();

  /** A value of a series, with its unit. */
  function valueText(series: string, value: number): string {
    return formatOf(byName.value.get(series)?.unit ?? '')(value);
  }

  function watches(rule: AlertRule): string {
    const what = rule.event === undefined ? ofSeries(rule) : ofEvent(rule);
    return rule.for === '0s' ? what : t('alerts.watches_for', { what, duration: rule.for });
  }

  function ofEvent({ event, count, window, within }: AlertRule): string {
    return t(`alerts.event_${event}`, { count, window, within });
  }

  function ofSeries({ series = 'host.cpu', above, below }: AlertRule): string {
    return above === undefined
      ? t('alerts.watches_below', { series, value: valueText(series, below ?? 0) })
      : t('alerts.watches_above', { series, value: valueText(series, above) });
  }

  return { valueText, watches };
}
