import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router';
import { useSession } from './stores/session.ts';

declare module 'vue-router' {
  interface RouteMeta {
    /** The key of the page's name in the messages. */
    title?: string;
    /** Whether nobody has to be signed in. */
    isOpen?: boolean;
  }
}

const routes: RouteRecordRaw[] = [
  {
    path: '/sign-in',
    name: 'sign-in',
    component: () => import('./pages/sign_in/SignInPage.vue'),
    meta: { title: 'layout.sign_in', isOpen: true },
  },
  {
    path: '/',
    name: 'overview',
    component: () => import('./pages/overview/OverviewPage.vue'),
    meta: { title: 'layout.overview' },
  },
  {
    path: '/services',
    name: 'services',
    component: () => import('./pages/services/ServicesPage.vue'),
    meta: { title: 'layout.services' },
  },
  {
    path: '/services/new',
    name: 'new-service',
    component: () => import('./pages/editor/EditorPage.vue'),
    meta: { title: 'layout.services' },
  },
  {
    path: '/services/:id/edit',
    name: 'edit-service',
    component: () => import('./pages/editor/EditorPage.vue'),
    props: true,
    meta: { title: 'layout.services' },
  },
  {
    path: '/services/:id/:tab?',
    name: 'service',
    component: () => import('./pages/service/ServicePage.vue'),
    props: true,
    meta: { title: 'layout.services' },
  },
  {
    path: '/logs',
    name: 'logs',
    component: () => import('./pages/logs/LogsPage.vue'),
    meta: { title: 'layout.logs' },
  },
  {
    path: '/routing',
    name: 'routing',
    component: () => import('./pages/routing/RoutingPage.vue'),
    meta: { title: 'layout.routing' },
  },
  {
    path: '/connections',
    name: 'connections',
    component: () => import('./pages/connections/ConnectionsPage.vue'),
    meta: { title: 'layout.connections' },
  },
  {
    path: '/alerts/:tab?',
    name: 'alerts',
    component: () => import('./pages/alerts/AlertsPage.vue'),
    props: true,
    meta: { title: 'layout.alerts' },
  },
  {
    path: '/activity/:tab?',
    name: 'activity',
    component: () => import('./pages/activity/ActivityPage.vue'),
    props: true,
    meta: { title: 'layout.activity' },
  },
  {
    path: '/settings/:tab?',
    name: 'settings',
    component: () => import('./pages/settings/SettingsPage.vue'),
    props: true,
    meta: { title: 'layout.settings' },
  },
  {
    path: '/:rest(.*)*',
    name: 'nowhere',
    component: () => import('./pages/NowherePage.vue'),
    meta: { title: 'layout.no_such_page' },
  },
];

export const router = createRouter({
  history: createWebHistory('/console/'),
  routes,
  scrollBehavior: (to, from, saved) => saved ?? (to.path === from.path ? false : { top: 0 }),
});

router.beforeEach(async (to) => {
  const session = useSession();
  if (session.session === undefined) await session.load().catch(() => undefined);
  if (to.meta.isOpen) return session.isSignedIn ? wantedPage(to.query['to']) : true;
  if (session.isSignedIn) return true;
  return { name: 'sign-in', query: to.path === '/' ? {} : { to: to.fullPath } };
});

/** Where somebody wanted to go who had to sign in first. Only a page of our own: what else an address may name is not for it to say. */
export function wantedPage(to: unknown): string {
  return typeof to === 'string' && /^\/(?!\/)/.test(to) ? to : '/';
}
