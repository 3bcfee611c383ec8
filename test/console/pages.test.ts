import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { after, before, test } from 'node:test';
import type { AxeResults } from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { openConsole, openSignedIn, startBrowser } from '../helpers/browser.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const fixture = (name: string) => resolve(import.meta.dirname, '../fixtures', name);

/** Every page, as its address goes on after `/console/`. */
const pages = [
  '',
  'services',
  'services?q=web&tag=shop',
  'services/new',
  'services/web',
  'services/web/deployments',
  'services/web/releases',
  'services/web/health',
  'services/web/logs',
  'services/web/metrics',
  'services/web/events',
  'services/web/configs',
  'services/web/routes',
  'services/web/settings',
  'services/broken',
  'services/nightly',
  'services/nobody',
  'services/web/edit',
  'logs',
  'logs?services=web,broken',
  'routing',
  'connections',
  'alerts',
  'alerts/silences',
  'alerts/rules',
  'alerts/history',
  'alerts/notifiers',
  'activity',
  'activity/audit?outcome=refused',
  'activity/operations',
  'settings/keys',
  'settings/configuration',
  'settings/versions',
  'settings/doctor',
  'no/such/page',
];

let agent: RunningAgent;
let browser: Browser;

before(async () => {
  agent = await startAgent();
  browser = await startBrowser();
  const server = `exec ${process.execPath} ${fixture('versioned_service.mjs')}`;
  const web = { command: server, port: 'auto', instances: 2, tags: ['shop', 'front'], env: { VERSION: '1' } };
  await agent.call('POST', '/service/web/deploy', {
    ...web,
    routes: [{ host: 'shop.example.org' }],
    health: { readiness: { type: 'tcp' } },
  });
  await agent.call('POST', '/service/web/deploy', { env: { VERSION: '2' } });
  await agent.call('POST', '/service/broken/deploy', { command: 'echo oh no >&2; exit 3' });
  await agent.call('POST', '/service/nightly/deploy', {
    command: 'true',
    type: 'task',
    schedule: { cron: '0 3 * * *' },
  });
  await agent.call('POST', '/api/v1/silences', { services: ['broken'], for: '1h', comment: 'known' });
});

after(async () => {
  await browser?.close();
  await agent?.[Symbol.asyncDispose]();
});

/** Leads to another page without loading the program again, as a link does. */
async function go(page: Page, path: string): Promise<void> {
  await page.evaluate((address) => {
    history.pushState({}, '', address);
    dispatchEvent(new PopStateEvent('popstate', { state: {} }));
  }, `/console/${path}`);
  await page.locator(`main[data-address="/${path}"]`).waitFor();
  await settle(page);
}

/** Waits until the page shows what it is, and nothing comes any more for a moment. */
async function settle(page: Page): Promise<void> {
  await page.locator('h1, .empty').first().waitFor();
  await page.waitForFunction(() => document.querySelector('[aria-busy="true"], .el-skeleton') === null);
  await page.evaluate(
    () =>
      new Promise<void>((resolve) => {
        const wait = () => setTimeout(resolve, 100);
        let timer = wait();
        const observer = new MutationObserver(() => {
          clearTimeout(timer);
          timer = wait();
        });
        observer.observe(document.body, { childList: true, subtree: true });
        // What goes on for ever is no reason to wait so long.
        setTimeout(resolve, 2_000);
      }),
  );
}

/** What the page is wider than its window by, in pixels, and what sticks out. */
function overflow(page: Page) {
  return page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    const wide = document.documentElement.scrollWidth - width;
    if (wide <= 0) return null;
    const out = [...document.querySelectorAll('main *')].find(
      (element) => element.getBoundingClientRect().right > width + 1,
    );
    return `${wide} px: ${out?.outerHTML.slice(0, 200)}`;
  });
}

async function accessibilityFaults(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const results = (await page.evaluate(() =>
    // biome-ignore lint/suspicious/noExplicitAny: it is put there by the line above
    (globalThis as any).axe.run(document, { resultTypes: ['violations'] }),
  )) as AxeResults;
  return results.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.slice(0, 3).map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`),
    );
}

for (const width of [1440, 390]) {
  for (const theme of ['light', 'dark'] as const) {
    for (const language of ['en-US', 'zh-CN']) {
      test(`every page at ${width} pixels, ${theme}, in ${language}`, async () => {
        const look = { width, height: width === 390 ? 844 : 900, theme, language };
        await using opened = await openSignedIn(browser, agent, '/console/', look);
        const { page } = opened;
        const faults: string[] = [];
        for (const path of pages) {
          await go(page, path);
          const wide = await overflow(page);
          if (wide !== null) faults.push(`/${path} is wider than the window by ${wide}`);
          // Letters change nothing that axe looks at.
          if (language === 'en-US') {
            for (const fault of await accessibilityFaults(page)) faults.push(`/${path} ${fault}`);
          }
          if (language === 'zh-CN' && !path.startsWith('services/')) {
            const title = await page.locator('h1, .empty').first().textContent();
            if (!/\p{Script=Han}/u.test(title ?? '')) faults.push(`/${path} is called "${title}"`);
          }
        }
        assert.deepEqual([...faults, ...opened.complaints], []);
      });
    }
  }
}

for (const theme of ['light', 'dark'] as const) {
  test(`the page to sign in, ${theme}`, async () => {
    for (const width of [1440, 390]) {
      await using opened = await openConsole(browser, agent.url, '/', { width, theme });
      await opened.page.waitForURL('**/console/sign-in');
      await settle(opened.page);
      assert.equal(await overflow(opened.page), null);
      assert.deepEqual(await accessibilityFaults(opened.page), []);
      assert.deepEqual(opened.complaints, []);
    }
  });
}
