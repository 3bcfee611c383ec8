import type { Router } from 'vue-router';

/**
 * Loads the page anew, where somebody is or is going, when a part of it is missing because the agent has been upgraded
 * since: the parts of the console have other names then. Whatever else keeps a part away, loading anew would not bring it.
 */
export function followUpgrades(router: Router): void {
  let wanted = location.href;
  router.beforeEach((to) => {
    wanted = router.resolve(to).href;
  });
  router.afterEach((to, from, failure) => {
    wanted = router.resolve(failure ? from : to).href;
  });
  addEventListener('vite:preloadError', async () => {
    if (!(await isUpgraded())) return;
    const address = new URL(wanted, location.href).href;
    if (address === location.href) location.reload();
    else location.assign(address);
  });
}

/** Whether the document that the agent has now begins with another script than this one. */
async function isUpgraded(): Promise<boolean> {
  const script = document.querySelector<HTMLScriptElement>('script[type="module"]');
  try {
    const response = await fetch('/console/', { cache: 'no-store' });
    return script !== null && response.ok && !(await response.text()).includes(new URL(script.src).pathname);
  } catch {
    return false;
  }
}
