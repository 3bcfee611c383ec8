import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, beforeEach, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import type { Rule } from '../../src/contract/rules.ts';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { openSignedIn, startBrowser } from '../helpers/browser.ts';
import { freePort } from '../helpers/free_port.ts';
import { fixture } from '../helpers/processes.ts';
import { until } from '../helpers/system.ts';

let browser: Browser;
let agent: RunningAgent;
let port = 0;

before(async () => {
  port = await freePort();
  const config = { router: { listeners: [{ address: `127.0.0.1:${port}` }], processes: 1 } };
  [browser, agent] = await Promise.all([startBrowser(), startAgent({ config })]);
  await Promise.all([
    deploy('web', [{ hosts: ['web.test'] }, { hosts: ['web.test'], path_prefix: '/admin', priority: 5 }]),
    deploy('api', []),
  ]);
});
after(async () => {
  await browser?.close();
  await agent?.[Symbol.asyncDispose]();
});

/** Four rules of the API beside the two routes of a service. */
beforeEach(async () => {
  for (const { id, declared_by } of await rules())
    if (declared_by === null) await agent.call('DELETE', `/api/v1/rules/${id}`);
  const to = (service: string) => ({ type: 'route', service });
  const made = [
    {
      id: 'beta',
      priority: 10,
      match: { hosts: ['web.test'], headers: { 'x-beta': '1' } },
      action: to('api'),
    },
    { id: 'shop', match: { hosts: ['shop.test'], path_prefix: '/api' }, action: to('api') },
    {
      id: 'old',
      match: { hosts: ['old.test'] },
      action: { type: 'redirect', to: 'https://web.test/', status: 301 },
    },
    { id: 'closed', match: { path_prefix: '/internal' }, action: { type: 'deny' } },
  ];
  for (const rule of made) assert.equal((await agent.call('POST', '/api/v1/rules', rule)).status, 201);
});

async function deploy(id: string, routes: object[]): Promise<void> {
  const { status, body } = await agent.call('POST', `/service/${id}/deploy`, {
    command: fixture('traffic_service.mjs'),
    env: { VERSION: id },
    port: 'auto',
    instances: 2,
    min_uptime: '0s',
    readiness: { type: 'http', path: '/ready', interval: '100ms' },
    rollout: { bake: '0s' },
    routes,
  });
  assert.equal(status, 200, JSON.stringify(body));
}

async function rules(): Promise<Rule[]> {
  return (await agent.call('GET', '/api/v1/rules')).body.rules;
}

async function order(): Promise<string[]> {
  return (await rules()).map(({ id }) => id);
}

const open = (path = '', key = agent.key) =>
  openSignedIn(browser, { url: agent.url, key }, `/console/routing${path}`);

function row(page: Page, id: string) {
  return page.locator(`[data-rule="${id}"]`);
}

/** The rules as they are shown, once they are. */
async function shown(page: Page): Promise<string[]> {
  await row(page, 'web/1').waitFor();
  return page
    .locator('[data-rule]')
    .evaluateAll((rows) => rows.map((one) => (one as HTMLElement).dataset['rule'] ?? ''));
}

test('rules stand in the order in which they are looked at, as sentences', async () => {
  await using opened = await open();
  const { page, complaints } = opened;
  assert.deepEqual(await shown(page), await order());
  assert.match(
    (await row(page, 'beta').textContent()) ?? '',
    /web\.test.*header x-beta = 1.*goes to.*api.*priority 10/,
  );
  assert.match(
    (await row(page, 'old').textContent()) ?? '',
    /old\.test.*redirected to https:\/\/web\.test\/ \(301\)/,
  );
  assert.match((await row(page, 'web/2').textContent()) ?? '', /web\.test\/admin\/\*.*route of the service/);
  await page.getByText('6 rules · 2 of services').waitFor();
  // What comes from a service is changed there.
  assert.equal(await row(page, 'web/1').getByRole('button').count(), 0);
  await row(page, 'web/1').getByRole('link', { name: 'web/1' }).click();
  await page.waitForURL(/services\/web\/edit/);
  assert.deepEqual(complaints, []);
});

test('a rule is moved by keys, and nothing changes before the order is saved', async () => {
  await using opened = await open();
  const { page, complaints } = opened;
  const before = await order();
  assert.deepEqual(before, ['beta', 'web/2', 'shop', 'old', 'web/1', 'closed']);
  const handle = page.getByRole('button', { name: 'Move old up or down' });
  await handle.focus();
  await page.keyboard.press('ArrowUp');
  await page.getByText('old is number 2 of 4 now.').waitFor();
  // By its new priority of 10 it also comes before a route of the priority 5, and that is shown.
  await row(page, 'old').getByText('→ 10').waitFor();
  assert.deepEqual(await shown(page), ['beta', 'old', 'web/2', 'shop', 'web/1', 'closed']);
  assert.ok(await handle.evaluate((element) => element === document.activeElement), 'the focus goes along');
  await page.keyboard.press('ArrowUp');
  await page.getByText('old is number 1 of 4 now.').waitFor();
  await page.keyboard.press('ArrowUp');
  await page.getByText('old cannot be moved further.').waitFor();
  assert.deepEqual(await order(), before);
  await page.getByRole('button', { name: 'Discard' }).click();
  assert.deepEqual(await shown(page), before);
  await handle.focus();
  await page.keyboard.press('ArrowUp');
  const foretold = await shown(page);
  await page.getByRole('button', { name: 'Save order' }).click();
  await page.getByText('The order was saved.').waitFor();
  assert.deepEqual(await order(), foretold);
  await page.getByRole('button', { name: 'Save order' }).waitFor({ state: 'detached' });
  assert.deepEqual(await shown(page), foretold);
  assert.deepEqual(complaints, []);
});

test('a rule is dragged to another place', async () => {
  await using opened = await open();
  const { page, complaints } = opened;
  await shown(page);
  const from = await page.getByRole('button', { name: 'Move closed up or down' }).boundingBox();
  const to = await row(page, 'beta').boundingBox();
  assert.ok(from && to);
  await page.mouse.move(from.x + 16, from.y + 16);
  await page.mouse.down();
  await page.mouse.move(from.x + 16, from.y - 40, { steps: 5 });
  await page.mouse.move(from.x + 16, to.y + 6, { steps: 20 });
  await page.mouse.up();
  await page.getByText('closed is number 1 of 4 now.').waitFor();
  assert.equal((await shown(page))[0], 'closed');
  await page.getByRole('button', { name: 'Save order' }).click();
  await page.getByText('The order was saved.').waitFor();
  assert.equal((await order())[0], 'closed');
  assert.deepEqual(complaints, []);
});

test('a rule is switched off and on, and others see it at once', async () => {
  await using opened = await open();
  const { page, complaints } = opened;
  await shown(page);
  const isEnabled = async () => (await rules()).find(({ id }) => id === 'shop')?.enabled;
  const control = row(page, 'shop').getByRole('switch', { name: 'shop is enabled' });
  await row(page, 'shop').locator('.el-switch').click();
  await page.getByText('The rule shop was disabled.').waitFor();
  assert.equal(await isEnabled(), false);
  assert.equal(await control.isChecked(), false);
  assert.equal((await agent.call('POST', '/api/v1/rules/shop/enable')).status, 200);
  await until('the page follows', () => control.isChecked());
  assert.deepEqual(complaints, []);
});

test('a rule is made, corrected, changed and deleted', async () => {
  await using opened = await open();
  const { page, complaints } = opened;
  await shown(page);
  await page.getByRole('button', { name: 'New rule' }).click();
  const dialog = page.getByRole('dialog', { name: 'New rule' });
  await dialog.getByRole('button', { name: 'Create' }).click();
  await dialog.getByText('Enter a name.').waitFor();
  await dialog.getByRole('textbox', { name: 'Name', exact: true }).fill('made');
  await dialog.getByRole('textbox', { name: 'Hosts' }).fill('made.test, http://wrong');
  await dialog.getByText('More conditions').click();
  await dialog.getByRole('button', { name: 'Add: Headers' }).click();
  await dialog.getByRole('textbox', { name: 'Headers: name' }).fill('X-Beta');
  await dialog.getByRole('textbox', { name: 'Value of X-Beta' }).fill('2');
  await dialog.getByRole('combobox', { name: 'Service' }).selectOption('web');
  await dialog.getByRole('button', { name: 'Create' }).click();
  await dialog.getByText('must be a host name in lower case').waitFor();
  await dialog.getByRole('textbox', { name: 'Hosts' }).fill('made.test');
  await dialog.getByRole('button', { name: 'Create' }).click();
  await page.getByText('The rule made was created.').waitFor();
  const made = async () => (await rules()).find(({ id }) => id === 'made');
  assert.deepEqual((await made())?.match.headers, { 'x-beta': '2' });
  assert.deepEqual((await made())?.action, { type: 'route', service: 'web', rewrite_prefix: null });
  const before = await made();
  await row(page, 'made').getByRole('button', { name: 'Edit the rule made' }).click();
  const edit = page.getByRole('dialog', { name: 'Edit the rule made' });
  await edit.getByRole('spinbutton', { name: 'Priority' }).fill('7');
  await edit.getByRole('button', { name: 'Save' }).click();
  await page.getByText('The rule made was changed.').waitFor();
  assert.deepEqual(await made(), { ...before, priority: 7 });
  await row(page, 'made').getByRole('button', { name: 'Delete the rule made' }).click();
  await page
    .getByRole('dialog', { name: 'Delete the rule made?' })
    .getByRole('button', { name: 'Delete' })
    .click();
  await page.getByText('The rule made was deleted.').waitFor();
  assert.equal(await made(), undefined);
  await row(page, 'made').waitFor({ state: 'detached' });
  assert.deepEqual(complaints, []);
});

test('the tester says which instance a request would get and why, and its address leads back to it', async () => {
  await using opened = await open();
  const { page, complaints } = opened;
  await shown(page);
  await page.getByRole('textbox', { name: 'Address', exact: true }).fill('web.test/admin/users');
  await page.getByRole('button', { name: 'Test', exact: true }).click();
  const result = page.getByRole('status', { name: 'What would become of it' });
  await result.getByText(/web, instance [12]/).waitFor();
  await result.getByText(/The rule web\/2 sends it to instance/).waitFor();
  await result.getByText('2 rules were looked at').waitFor();
  await result
    .getByText('the header x-beta is absent')
    .or(result.getByText(/x-beta/))
    .first()
    .waitFor();
  await page.getByText('Headers and address of the client').click();
  await page
    .getByRole('textbox', { name: 'Headers, one on each line' })
    .fill('x-beta: 1\nauthorization: Bearer abc');
  await page.getByRole('button', { name: 'Test', exact: true }).click();
  await result.getByText(/api, instance [12]/).waitFor();
  await page.waitForURL(/headers=x-beta/);
  assert.doesNotMatch(page.url(), /abc/, 'no secret stands in an address');
  await page.reload();
  await result.getByText(/api, instance [12]/).waitFor();
  assert.equal((await agent.call('POST', '/api/v1/rules/beta/disable')).status, 200);
  await result.getByText(/web, instance [12]/).waitFor();
  assert.deepEqual(complaints, []);
});

test('the share of each instance and the routers are shown', async () => {
  await using opened = await open();
  const { page, complaints } = opened;
  await shown(page);
  const get = () =>
    new Promise<void>((resolve, reject) => {
      const sent = request(
        { port, path: '/plain', headers: { host: 'web.test' }, agent: false },
        (answer) => {
          answer.resume().once('end', resolve);
        },
      );
      sent.once('error', reject).end();
    });
  const shares = page.getByRole('table', { name: 'Services and their instances' });
  const web = shares.getByRole('row').filter({ has: page.getByRole('link', { name: 'web', exact: true }) });
  await web.getByText('round robin').waitFor();
  await until('both instances have half of them', async () => {
    await get();
    await get();
    return (await web.getByText('50 %').count()) === 2;
  });
  const routers = page.getByRole('table', { name: 'Routers' });
  await routers.getByText('Up to date').waitFor();
  await page.getByText(`127.0.0.1:${port}`).waitFor();
  assert.deepEqual(complaints, []);
});

test('who may deploy one service sees and changes only the rules that lead there', async () => {
  const { body } = await agent.call('POST', '/api/v1/keys', {
    name: 'web-only',
    scopes: ['deploy'],
    services: ['web'],
  });
  await using opened = await open('', body.key);
  const { page, complaints } = opened;
  assert.deepEqual(await shown(page), ['web/2', 'web/1']);
  await page.getByRole('button', { name: 'New rule' }).click();
  const dialog = page.getByRole('dialog', { name: 'New rule' });
  await dialog.getByRole('combobox', { name: 'What it does' }).press('Enter');
  await page.getByRole('option', { name: 'Splits them' }).waitFor();
  assert.equal(await page.getByRole('option', { name: 'Refuses them' }).count(), 0);
  assert.deepEqual(complaints, []);
});

test('without a router it is said what to put into the configuration', async () => {
  await using other = await startAgent();
  await using opened = await openSignedIn(browser, other, '/console/routing');
  const { page, complaints } = opened;
  await page.getByText('There is no router').waitFor();
  await page.getByText('listeners:').waitFor();
  await page.goto(`${other.url}/console/connections`);
  await page.getByText('There is no router').waitFor();
  assert.deepEqual(complaints, []);
});
