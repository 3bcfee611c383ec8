import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import type { Browser, Locator, Page } from 'playwright-core';
import en from '../../src/console/messages/en/index.ts';
import zh from '../../src/console/messages/zh/index.ts';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { type OpenPage, openConsole, openSignedIn, startBrowser } from '../helpers/browser.ts';
import { until } from '../helpers/system.ts';

const server = `exec ${process.execPath} ${resolve(import.meta.dirname, '../fixtures/versioned_service.mjs')}`;
/** Writes a numbered line ten times a second, and is ready once the first second has passed. */
const counts = `( i=0; while :; do i=$((i+1)); echo "visitor $i"; sleep 0.1; done ) & sleep 1; ${server}`;
const fails = {
  command: 'sleep 1.5; echo "panic: no such table: orders" >&2; exit 3',
  restart: { policy: 'never' },
};

let browser: Browser;
let agent: RunningAgent;
let opened: OpenPage | undefined;

before(async () => {
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
});
beforeEach(async () => {
  agent = await startAgent();
});
afterEach(async () => {
  await opened?.context.close();
  opened = undefined;
  await agent?.[Symbol.asyncDispose]();
});

/** What the pipelines of others do meanwhile. */
async function deployByPipeline(id: string, spec: object): Promise<void> {
  const { status, body } = await agent.call('POST', `/service/${id}/deploy`, spec);
  assert.equal(status, 200, JSON.stringify(body));
}

/** Goes to another page by the navigation, which narrow screens keep behind a button. */
async function goTo(page: Page, words: typeof en, name: keyof typeof en.layout): Promise<void> {
  const menu = page.getByRole('button', { name: words.layout.menu, exact: true });
  if (await menu.isVisible()) await menu.click();
  await page
    .getByRole('navigation', { name: words.layout.navigation })
    .getByRole('link', { name: words.layout[name] })
    .click();
  await page.getByRole('heading', { level: 1, name: words.layout[name] }).waitFor();
}

/** The number in the last line of a log that is seen. */
async function lastVisitor(page: Page): Promise<number> {
  const text = await page.getByRole('log').innerText();
  return Math.max(0, ...[...text.matchAll(/visitor (\d+)/g)].map(([, number]) => Number(number)));
}

async function untilItGoesOn(page: Page): Promise<void> {
  await page
    .getByRole('log')
    .getByText(/visitor \d+/)
    .last()
    .waitFor();
  const seen = await lastVisitor(page);
  await until('the log goes on', async () => (await lastVisitor(page)) > seen + 3);
}

const stories = [
  { how: 'in English on a wide screen', words: en, look: {} },
  {
    how: 'in Chinese on a narrow dark one',
    words: zh,
    look: { width: 390, height: 844, theme: 'dark', language: 'zh-CN' },
  },
] as const;

for (const { how, words, look } of stories) {
  test(`a person who has never seen davit deploys, watches, reads logs, sees why one failed and rolls it back, ${how}`, async () => {
    opened = await openConsole(browser, agent.url, '/', look);
    const { page, complaints } = opened;

    await page.getByLabel(words.layout.credential, { exact: true }).fill(agent.key);
    await page.getByRole('button', { name: words.layout.sign_in, exact: true }).click();
    await page.getByText(words.overview.first).waitFor();

    await page.getByRole('button', { name: words.services.new }).click();
    await page.getByRole('textbox', { name: words.editor.id, exact: true }).fill('shop');
    await page.getByRole('textbox', { name: words.service.command }).fill(counts);
    await page.getByRole('combobox', { name: words.service.port }).fill('auto');
    await page.getByRole('button', { name: words.editor.review }).click();
    const review = page.getByRole('dialog');
    await review.getByRole('button', { name: words.editor.deploy, exact: true }).click();
    await page.waitForURL('**/console/services/shop');
    await page.getByRole('heading', { level: 1, name: 'shop' }).waitFor();
    await page
      .getByText(new RegExp(`${words.states.running}$`))
      .first()
      .waitFor();

    const parts = page.getByRole('navigation', { name: words.service.parts.replace('{id}', 'shop') });
    await parts.getByRole('link', { name: words.service.tab_logs, exact: true }).click();
    await untilItGoesOn(page);

    await deployByPipeline('payments', { command: 'exec sleep 1000' });
    await deployByPipeline('payments', fails);
    await goTo(page, words, 'overview');
    await page.getByText('panic: no such table: orders').waitFor();
    await page.getByRole('link', { name: 'payments', exact: true }).first().click();
    const why = page.getByRole('region', { name: words.service.why });
    await why
      .getByText(/exited with code 3/)
      .first()
      .waitFor();
    await why.getByText('panic: no such table: orders').first().waitFor();

    await page
      .getByRole('navigation', { name: words.service.parts.replace('{id}', 'payments') })
      .getByRole('link', { name: words.service.tab_releases, exact: true })
      .click();
    const back = words.service.roll_back_to.replace('{release}', '1');
    await page.getByRole('button', { name: back }).click();
    const asked = page.getByRole('dialog', { name: back });
    await asked.getByRole('button', { name: words.service.roll_back, exact: true }).click();
    await page
      .getByText(new RegExp(`${words.states.running}$`))
      .first()
      .waitFor();
    await goTo(page, words, 'overview');
    await page.getByText(words.overview.calm).waitFor();
    const { body } = await agent.call('GET', '/service/payments/status');
    assert.deepEqual([body.status, body.command], ['running', 'exec sleep 1000']);
    assert.deepEqual(complaints, []);
  });
}

/** Presses Tab until this has the focus, which has to be seen. */
async function tabTo(page: Page, target: Locator): Promise<void> {
  await target.first().waitFor();
  for (let presses = 0; presses < 120; presses++) {
    const isThere = await target.first().evaluate((element) => element === document.activeElement);
    if (isThere) {
      assert.ok(await target.first().evaluate((element) => element.matches(':focus-visible')));
      return;
    }
    // The YAML takes Tab for itself, and says beside it that Escape gives it back.
    if (await page.getByRole('textbox', { name: 'YAML' }).and(page.locator(':focus')).count())
      await page.keyboard.press('Escape');
    await page.keyboard.press('Tab');
  }
  assert.fail(`Tab does not reach ${target}`);
}

test('the keyboard alone is enough to sign in, deploy, read the logs, stop a service and choose another language', async () => {
  opened = await openConsole(browser, agent.url);
  const { page, complaints } = opened;
  const press = async (target: Locator, key = 'Enter') => {
    await tabTo(page, target);
    await page.keyboard.press(key);
  };
  const button = (name: string) => page.getByRole('button', { name, exact: true });
  await page.getByLabel('API key or token', { exact: true }).waitFor();
  // One is there already, as on every page to sign in.
  await tabTo(page, page.getByLabel('API key or token', { exact: true }));
  await page.keyboard.type(agent.key);
  await page.keyboard.press('Enter');

  await press(button('New service'));
  await tabTo(page, page.getByRole('textbox', { name: 'Name', exact: true }));
  await page.keyboard.type('shop');
  await tabTo(page, page.getByRole('textbox', { name: 'Command' }));
  await page.keyboard.insertText(counts);
  await tabTo(page, page.getByRole('combobox', { name: 'Port' }));
  await page.keyboard.type('auto');
  await press(button('Review'));
  await page.getByRole('dialog').waitFor();
  await press(page.getByRole('dialog').getByRole('button', { name: 'Deploy', exact: true }));
  await page.waitForURL('**/console/services/shop');

  await press(page.getByRole('navigation', { name: 'Parts of shop' }).getByRole('link', { name: 'Logs' }));
  await untilItGoesOn(page);
  await press(button('Pause'));
  await button('Follow').waitFor();

  await press(button('More'), 'ArrowDown');
  await page.getByRole('menuitem', { name: 'Pause', exact: true }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('menuitem', { name: 'Pause', exact: true }).waitFor({ state: 'hidden' });
  await press(button('Stop'));
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  await until('the focus is back where it was', () =>
    button('Stop').evaluate((element) => element === document.activeElement),
  );
  await page.keyboard.press('Enter');
  await press(page.getByRole('dialog').getByRole('button', { name: 'Stop', exact: true }));
  await page
    .getByText(/Stopped$/)
    .first()
    .waitFor();
  assert.deepEqual(complaints, []);
});

/** Every page, as its address goes on after `/console/`; those with parts are left by their links. */
const pages = [
  '',
  'services',
  'services/web',
  'logs?services=web',
  'routing',
  'connections',
  'alerts',
  'activity',
  'settings',
];

/** What buttons are called that change something. */
const changing =
  /^(Deploy|Start|Stop|Restart( .*)?|Pause|Resume|Scale|Send .*|Edit.*|Delete.*|New .*|Roll back.*|Silence.*|Add .*|Create.*|Make .*|Revoke.*|Close .*connection.*|Save|Promote|Run now|Test .*|Disable.*|Enable.*|Cancel.*)$/;

interface Visit {
  readonly page: Page;
  /** What was answered "forbidden". */
  readonly refused: string[];
  /** Buttons that change something, with the page on which they are. */
  readonly offered: string[];
}

function visitOf(page: Page): Visit {
  const refused: string[] = [];
  page.on('response', (response) => {
    if (response.status() === 403) refused.push(`${new URL(page.url()).pathname}: ${response.url()}`);
  });
  return { page, refused, offered: [] };
}

/** Waits until the page is there, and notes the buttons on it. */
async function look({ page, offered }: Visit): Promise<void> {
  await page.locator('main h1').first().waitFor();
  await page.waitForFunction(() => document.querySelector('[aria-busy="true"], .el-skeleton') === null);
  await page.waitForLoadState('load');
  const { pathname } = new URL(page.url());
  for (const button of await page.locator('main').getByRole('button', { name: changing }).all()) {
    const name = (await button.getAttribute('aria-label')) ?? (await button.innerText());
    // A log is paused for oneself alone.
    if (!(name === 'Pause' && /logs|connections/.test(pathname))) offered.push(`${pathname}: ${name}`);
  }
}

/** Opens every page and each of its parts. */
async function visitAll(visit: Visit): Promise<void> {
  const { page } = visit;
  for (const path of pages) {
    await page.goto(`${agent.url}/console/${path}`);
    await look(visit);
    const parts = page.locator('main').getByRole('navigation').getByRole('link');
    for (let index = 1; index < (await parts.count()); index++) {
      await parts.nth(index).click();
      await look(visit);
    }
  }
}

async function keyFor(scope: string, services?: readonly string[]): Promise<string> {
  const given = { name: `who may ${scope}`, scopes: [scope], ...(services && { services }) };
  return (await agent.call('POST', '/api/v1/keys', given)).body.key;
}

test('who may only read finds no button that would be refused, and nothing that is shown is', async () => {
  await deployByPipeline('web', { command: server, port: 'auto', routes: [{ hosts: ['shop.example.org'] }] });
  await deployByPipeline('broken', { command: 'sleep 1.2; exit 3', restart: { policy: 'never' } });
  opened = await openSignedIn(browser, { url: agent.url, key: await keyFor('read') });
  const visit = visitOf(opened.page);
  await visitAll(visit);
  assert.deepEqual([visit.refused, visit.offered], [[], []]);
  for (const address of ['services/new', 'services/web/edit']) {
    await opened.page.goto(`${agent.url}/console/${address}`);
    await opened.page.getByText('It needs the scope deploy.').waitFor();
  }
  assert.deepEqual([visit.refused, opened.complaints], [[], []]);
});

test('who may operate one service finds the buttons for it, and sees nothing of the others', async () => {
  await deployByPipeline('web', { command: server, port: 'auto', routes: [{ hosts: ['shop.example.org'] }] });
  await deployByPipeline('secret', { command: 'exec sleep 1000' });
  opened = await openSignedIn(browser, { url: agent.url, key: await keyFor('operate', ['web']) });
  const { page, complaints } = opened;
  const visit = visitOf(page);
  await visitAll(visit);
  // Alerts about the service may be silenced, too.
  const elsewhere = visit.offered.filter(
    (button) => !/^\/console\/services\/web|: New silence$/.test(button),
  );
  assert.deepEqual([visit.refused, elsewhere], [[], []]);

  await page.goto(`${agent.url}/console/services`);
  await page.getByRole('link', { name: 'web', exact: true }).click();
  assert.equal((await page.content()).includes('secret'), false);
  await page.getByRole('button', { name: 'Restart', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Restart', exact: true }).click();
  await page
    .getByText(/restarted/i)
    .first()
    .waitFor();
  assert.equal(await page.getByRole('button', { name: 'Deploy', exact: true }).count(), 0);
  await page.goto(`${agent.url}/console/services/secret`);
  await page.getByText('There is no service secret').waitFor();
  assert.deepEqual([visit.refused, complaints], [[], []]);
});
