import { defineAsyncComponent } from 'vue';

/** The chart, whose library is fetched when the first one is shown. */
export const TimeChart = defineAsyncComponent(() => import('./TimeChart.vue'));
