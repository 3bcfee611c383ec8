import { defineStore } from 'pinia';
import { computed, ref, watch } from 'vue';

export type Theme = 'system' | 'light' | 'dark';
export type Language = 'en' | 'zh';

const kept = 'davit.preferences';

/** How this person wants the console to look; kept in this browser. */
export const usePreferences = defineStore('preferences', () => {
  const given = read();
  const theme = ref<Theme>(given.theme ?? 'system');
  const language = ref<Language>(given.language ?? browserLanguage());
  const systemIsDark = ref(false);
  const query = matchMedia('(prefers-color-scheme: dark)');
  systemIsDark.value = query.matches;
  query.addEventListener('change', ({ matches }) => {
    systemIsDark.value = matches;
  });
  const isDark = computed(() => (theme.value === 'system' ? systemIsDark.value : theme.value === 'dark'));

  watch(
    isDark,
    (dark) => {
      document.documentElement.classList.toggle('dark', dark);
      document.documentElement.classList.toggle('light', !dark);
    },
    { immediate: true },
  );
  watch([theme, language], () => {
    try {
      localStorage.setItem(kept, JSON.stringify({ theme: theme.value, language: language.value }));
    } catch {
      // Without a place to keep them they last as long as the page.
    }
  });

  return { theme, language, isDark };
});

function read(): { theme?: Theme; language?: Language } {
  try {
    const { theme, language } = JSON.parse(localStorage.getItem(kept) ?? '{}');
    return {
      ...(['system', 'light', 'dark'].includes(theme) && { theme }),
      ...(['en', 'zh'].includes(language) && { language }),
    };
  } catch {
    return {};
  }
}

function browserLanguage(): Language {
  const first = navigator.languages.find((tag) => /^(en|zh)\b/i.test(tag));
  return first !== undefined && /^zh\b/i.test(first) ? 'zh' : 'en';
}
