import { computed, type Ref } from 'vue';
import { useI18n } from 'vue-i18n';
import type { SkippedServiceOutput } from '../../../contract/merged_logs.ts';
import { matchesGlob } from '../../../lib/glob.ts';
import { useFormat } from '../../composables/format.ts';
import { usePreferences } from '../../stores/preferences.ts';
import { useServices } from '../../stores/services.ts';
import type { Find } from './line_parts.ts';
import type { LogLook } from './log_look.ts';
import { useLogSettings } from './log_settings.ts';

/** Below so many pixels there is no room for columns before a line. */
const leastWidth = 560;
const longestWhose = 24;

/** How the rows of a viewer look, by what is read, by settings and by the room that there is. */
export function useRowLook(services: () => readonly string[], find: Ref<Find>, width: Ref<number>) {
  const { t } = useI18n();
  const format = useFormat();
  const store = useServices();
  const settings = useLogSettings();
  const preferences = usePreferences();
  const ids = computed(() => {
    const given = services();
    if (!given.some((name) => name.includes('*'))) return given;
    return store.all.map(({ id }) => id).filter((id) => given.some((name) => matchesGlob(name, id)));
  });
  const isMany = computed(() => services().length > 1 || services().some((name) => name.includes('*')));
  const hasInstances = computed(() => (store.byId.get(ids.value[0] ?? '')?.spec.instances ?? 1) > 1);
  const whose = computed(() => (isMany.value ? 'service' : hasInstances.value ? 'instance' : 'none'));
  const whoseCharacters = computed(() =>
    whose.value === 'service'
      ? Math.min(longestWhose, Math.max(...ids.value.map(({ length }) => length), 4) + 2)
      : 3,
  );
  const isNarrow = computed(() => width.value < leastWidth);
  const texts = computed(() => ({
    unfold: t('logs.unfold'),
    cut: t('logs.cut'),
    continues: t('logs.continues'),
    stderr: t('logs.stderr'),
  }));
  const look = computed<LogLook>(() => ({
    isWrapped: settings.wrap,
    isNarrow: isNarrow.value,
    isDark: preferences.isDark,
    hasTimes: settings.times,
    whose: whose.value,
    find: find.value,
    texts: texts.value,
  }));

  function gapText({ service, bytes }: SkippedServiceOutput): string {
    return bytes === null
      ? t('logs.gap', { service })
      : t('logs.gap_bytes', { service, size: format.size(bytes) });
  }

  return { look, whoseCharacters, gapText };
}
