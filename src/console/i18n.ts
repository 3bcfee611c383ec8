import { createI18n } from 'vue-i18n';
import en from './messages/en/index.ts';
import type { Language } from './stores/preferences.ts';

/** English is there from the beginning; other languages come when they are wanted. */
export const i18n = createI18n({ legacy: false, locale: 'en', fallbackLocale: 'en', messages: { en } });

/** Shows the console in this language from now on. */
export async function speak(language: Language): Promise<void> {
  if (language === 'zh' && !i18n.global.availableLocales.includes('zh' as 'en')) {
    const { default: zh } = await import('./messages/zh/index.ts');
    i18n.global.setLocaleMessage('zh' as 'en', zh);
  }
  i18n.global.locale.value = language as 'en';
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
}
