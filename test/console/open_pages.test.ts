import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { openSignedIn, startBrowser } from '../helpers/browser.ts';
import { until } from '../helpers/system.ts';

// Pages that stay open while the agent, or who is signed in, becomes another.

let browser: Browser;
let agent: RunningAgent;

before(async () => {
  [browser, agent] = await Promise.all([startBrowser(), startAgent()]);
});
after(async () => {
  await browser?.close();
  await agent?.[Symbol.asyncDispose]();
});

/** Who a page says that is signed in. */
function account(page: Page, name: string) {
  return page.getByRole('complementary').locator('summary').filter({ hasText: name });
}

async function createKey(name: string, scope: string, services: string[] | null): Promise<string> {
  const { body } = await agent.call('POST', '/api/v1/keys', { name, scopes: [scope], services });
  return body.key;
}

test('a page that was open while the agent was upgraded loads itself anew, where somebody was going', async () => {
  // A page without parts that come later.
  await using opened = await openSignedIn(browser, agent, '/console/nowhere');
  const { page, context } = opened;
  const link = page.getByRole('navigation').getByRole('link', { name: 'Activity' });
  await link.waitFor();
  // From now on there is another console, until its document is asked for.
  let isOther = true;
  await context.route('**/console/**', (route) => {
    const { pathname } = new URL(route.request().url());
    if (route.request().resourceType() === 'document') isOther = false;
    if (!isOther) return route.continue();
    if (pathname.startsWith('/console/assets/')) return route.fulfill({ status: 404 });
    return route.fulfill({
      contentType: 'text/html',
      body: '<script type="module" src="/console/assets/other.js"></script>',
    });
  });
  await link.click();
  await page.getByRole('heading', { level: 1, name: 'Activity' }).waitFor();
});

test('where a part of a page is missing for another reason, the page stays as it is', async () => {
  // A page without parts that come later.
  await using opened = await openSignedIn(browser, agent, '/console/nowhere');
  const { page, context } = opened;
  const link = page.getByRole('navigation').getByRole('link', { name: 'Activity' });
  await link.waitFor();
  await page.evaluate(() => {
    document.body.dataset['mark'] = 'here';
  });
  let asked = 0;
  await context.route('**/console/assets/*', (route) => {
    asked += 1;
    return route.abort();
  });
  await Promise.all([page.waitForResponse('**/console/'), link.click()]);
  assert.ok(asked > 0);
  await context.unroute('**/console/assets/*');
  await link.click();
  await page.getByRole('heading', { level: 1, name: 'Activity' }).waitFor();
  assert.equal(await page.evaluate(() => document.body.dataset['mark']), 'here');
});

test('a page goes on with the session by which the same key has signed in beside it', async () => {
  await using opened = await openSignedIn(browser, agent, '/console/settings/keys');
  const { page, context } = opened;
  await page.getByRole('button', { name: 'Create a key' }).waitFor();
  // Without its stream, from which it would learn of that.
  await context.route('**/api/v1/live*', (route) => route.abort());
  await context.request.post(`${agent.url}/api/v1/session`, { data: { credential: agent.key } });
  await page.getByRole('button', { name: 'Create a key' }).click();
  await page.getByRole('dialog').getByLabel('Name').fill('made beside it');
  await page
    .getByRole('dialog')
    .getByRole('button', { name: /^Create/ })
    .click();
  const isThere = async () => {
    const { keys } = (await agent.call('GET', '/api/v1/keys')).body;
    return keys.some(({ name }: { name: string }) => name === 'made beside it');
  };
  await until('the key is there', isThere);
});

test('a key that may read nothing is told so, instead of pages that wait for ever', async () => {
  const key = await createKey('scraper', 'metrics', null);
  await using opened = await openSignedIn(browser, { url: agent.url, key });
  await opened.page.getByText('Your key does not allow this. It needs the scope read.').waitFor();
  assert.deepEqual(opened.complaints, []);
});

test('a page shows nothing of who was signed in before when somebody else signs in beside it', async () => {
  await agent.call('POST', '/service/secret-shop/deploy', { command: 'exec sleep 1000', min_uptime: '0s' });
  const guest = await createKey('guest', 'read', ['web*']);
  await using opened = await openSignedIn(browser, agent, '/console/services/secret-shop');
  const { page, context } = opened;
  await page.getByRole('row', { name: /Instance 1/ }).waitFor();
  await context.request.post(`${agent.url}/api/v1/session`, { data: { credential: guest } });
  await account(page, 'guest').waitFor();
  await page.getByRole('row', { name: /Instance 1/ }).waitFor({ state: 'detached' });
  await page.getByRole('navigation').getByRole('link', { name: 'Overview' }).click();
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  assert.doesNotMatch(await page.locator('main').innerText(), /secret-shop/);
});

test("a page whose stream begins only after somebody else has signed in beside it is that one's", async () => {
  const guest = await createKey('late guest', 'read', ['web*']);
  await using context = await browser.newContext();
  const isOther = Promise.withResolvers<void>();
  await context.request.post(`${agent.url}/api/v1/session`, { data: { credential: agent.key } });
  await context.addInitScript(() => localStorage.setItem('davit.signed_in', 'true'));
  await context.route('**/api/v1/live*', async (route) => {
    await isOther.promise;
    await route.continue();
  });
  const page = await context.newPage();
  await page.goto(`${agent.url}/console/services`);
  await account(page, 'admin').waitFor();
  await context.request.post(`${agent.url}/api/v1/session`, { data: { credential: guest } });
  isOther.resolve();
  await account(page, 'late guest').waitFor();
});
