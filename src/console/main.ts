import { createPinia } from 'pinia';
import { createApp } from 'vue';
import App from './App.vue';
import { i18n, speak } from './i18n.ts';
import { router } from './router.ts';
import { usePreferences } from './stores/preferences.ts';
import { followUpgrades } from './upgrade.ts';
import 'element-plus/theme-chalk/base.css';
import 'element-plus/theme-chalk/dark/css-vars.css';
import './styles/tokens.css';
import './styles/base.css';

followUpgrades(router);
const app = createApp(App).use(createPinia()).use(i18n);
// Before the first page, so that none is seen in another language.
await speak(usePreferences().language);
app.use(router);
await router.isReady();
app.mount('#console');
