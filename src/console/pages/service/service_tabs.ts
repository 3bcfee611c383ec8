import { type Component, defineAsyncComponent } from 'vue';

/** The tabs of the page by their names in its address; each is fetched when it is opened first. */
export const serviceTabs: Readonly<Record<string, Component>> = {
  overview: defineAsyncComponent(() => import('./OverviewTab.vue')),
  deployments: defineAsyncComponent(() => import('./DeploymentsTab.vue')),
  releases: defineAsyncComponent(() => import('./ReleasesTab.vue')),
  health: defineAsyncComponent(() => import('./HealthTab.vue')),
  logs: defineAsyncComponent(() => import('./LogsTab.vue')),
  metrics: defineAsyncComponent(() => import('./MetricsTab.vue')),
  events: defineAsyncComponent(() => import('./EventsTab.vue')),
  configs: defineAsyncComponent(() => import('./ConfigsTab.vue')),
  routes: defineAsyncComponent(() => import('./RoutesTab.vue')),
  settings: defineAsyncComponent(() => import('./SettingsTab.vue')),
};
