import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { openSignedIn, startBrowser } from '../helpers/browser.ts';
import { until } from '../helpers/system.ts';

let browser: Browser;
let agent: RunningAgent;

before(async () => {
  [browser, agent] = await Promise.all([startBrowser(), startAgent()]);
  await Promise.all([
    deploy('web', { command: 'exec sleep 1000', tags: ['shop', 'front'] }),
    deploy('api', { command: ['sleep', '2000'], tags: ['shop'] }),
    deploy('idle', { command: 'exec sleep 1000', min_uptime: '0s' }),
    deploy('broken', { command: 'echo no such module >&2; exit 1' }),
  ]);
  await agent.call('POST', '/service/idle/stop', {});
});
after(async () => {
  await browser.close();
  await agent[Symbol.asyncDispose]();
});

function deploy(id: string, fields: object) {
  return agent.call('POST', `/service/${id}/deploy`, fields);
}

async function stateOf(id: string): Promise<string> {
  return (await agent.call('GET', `/service/${id}/status`)).body.status;
}

function rowOf(page: Page, id: string) {
  return page.getByRole('row').filter({ has: page.getByRole('link', { name: id, exact: true }) });
}

async function idsOf(page: Page): Promise<string[]> {
  return page.getByRole('table', { name: 'Services' }).getByRole('link').allTextContents();
}

/** Waits until these services are shown, in this order. */
async function shows(page: Page, ids: readonly string[]): Promise<void> {
  await until(`the table shows ${ids}`, async () => String(await idsOf(page)) === String(ids));
}

async function select(page: Page, ...ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    // A click would meet what is drawn over it.
    await rowOf(page, id)
      .getByRole('checkbox', { name: `Select ${id}` })
      .press('Space');
  }
}

test('each service stands in a row with its state, instances and history, and changes as it does', async () => {
  await using opened = await openSignedIn(browser, agent, '/console/services');
  const { page, complaints } = opened;
  await shows(page, ['api', 'broken', 'idle', 'web']);
  await page.getByText('4 services · 2 running · 0 failed').waitFor();
  await rowOf(page, 'web').getByText('Running').waitFor();
  await rowOf(page, 'web').getByText('1/1').waitFor();
  await rowOf(page, 'web').getByRole('img', { name: 'Health of web in the last 30 minutes' }).waitFor();
  await rowOf(page, 'idle').getByText('Stopped').waitFor();
  await rowOf(page, 'broken').getByText('Deployment failed').waitFor();
  await page.getByRole('button', { name: /^Deployment failed 1/ }).waitFor();
  await agent.call('POST', '/service/idle/restart', {});
  await rowOf(page, 'idle').getByText('Running').waitFor();
  await agent.call('POST', '/service/idle/stop', {});
  await rowOf(page, 'idle').getByText('Stopped').waitFor();
  assert.deepEqual(complaints, []);
});

test('search, tags, states and order stand in the address, and are there again when it is opened', async () => {
  await using opened = await openSignedIn(browser, agent, '/console/services');
  const { page, complaints } = opened;
  await shows(page, ['api', 'broken', 'idle', 'web']);
  await page.getByRole('textbox', { name: 'Search by id, tag or command' }).fill('shop sleep');
  await shows(page, ['api', 'web']);
  await page.getByRole('button', { name: 'Service', exact: true }).click();
  await page.getByRole('button', { name: 'Service', exact: true }).click();
  await shows(page, ['web', 'api']);
  await page.getByRole('combobox', { name: 'Tags' }).fill('fro');
  await page.getByRole('option', { name: 'front' }).click();
  await shows(page, ['web']);
  await page.getByRole('button', { name: /^Running/ }).click();
  await page.waitForURL(/state=running/);
  assert.deepEqual(Object.fromEntries(new URL(page.url()).searchParams), {
    search: 'shop sleep',
    sort: '-id',
    tags: 'front',
    state: 'running',
  });
  await page.reload();
  await shows(page, ['web']);
  assert.equal(await page.getByRole('button', { name: /^Running/ }).getAttribute('aria-pressed'), 'true');
  await page.getByRole('textbox', { name: 'Search by id, tag or command' }).fill('nothing of this name');
  await page.getByText('Nothing fits this filter.').waitFor();
  await page.getByRole('button', { name: 'Show every service' }).click();
  await shows(page, ['web', 'idle', 'broken', 'api']);
  assert.deepEqual(complaints, []);
});

test('several services are restarted at once, and a summary says of each what came of it', async () => {
  await using opened = await openSignedIn(browser, agent, '/console/services');
  const { page, complaints } = opened;
  const { pid } = (await agent.call('GET', '/service/web/status')).body;
  await select(page, 'web', 'broken');
  const bar = page.getByRole('region', { name: '2 selected' });
  await bar.getByRole('button', { name: 'Restart' }).click();
  await page
    .getByRole('dialog', { name: 'Restart 2 services?' })
    .getByRole('button', { name: 'Restart' })
    .click();
  const summary = page.getByRole('dialog', { name: 'Restarting 2 services' });
  await summary.getByText('1 succeeded').waitFor();
  await summary.getByText('1 failed').waitFor();
  await summary.getByText('did not stay up').waitFor();
  await summary.getByText('no such module').waitFor();
  assert.notEqual((await agent.call('GET', '/service/web/status')).body.pid, pid);
  await summary.getByRole('button', { name: 'Select those that failed' }).click();
  await page.getByRole('region', { name: '1 selected' }).waitFor();
  assert.equal(await rowOf(page, 'broken').getByRole('checkbox').isChecked(), true);
  assert.equal(await rowOf(page, 'web').getByRole('checkbox').isChecked(), false);
  assert.deepEqual(complaints, []);
});

test('what is not shown any more is not acted on', async () => {
  await using opened = await openSignedIn(browser, agent, '/console/services');
  const { page } = opened;
  await select(page, 'web', 'api');
  await page.getByRole('textbox', { name: 'Search by id, tag or command' }).fill('api');
  await page.getByRole('region', { name: '1 selected' }).getByRole('button', { name: 'Stop' }).click();
  const question = page.getByRole('dialog', { name: 'Stop 1 service?' });
  await question.getByText('api. It stays stopped').waitFor();
  await question.getByRole('button', { name: 'Stop' }).click();
  await page.getByRole('dialog', { name: 'Stopping 1 service' }).getByText('1 succeeded').waitFor();
  assert.deepEqual([await stateOf('api'), await stateOf('web')], ['stopped', 'running']);
});

test('services are deleted only after that was typed', async () => {
  await Promise.all(['gone-1', 'gone-2'].map((id) => deploy(id, { command: 'exec sleep 1000' })));
  await using opened = await openSignedIn(browser, agent, '/console/services');
  const { page, complaints } = opened;
  await select(page, 'gone-1', 'gone-2');
  await page.getByRole('region', { name: '2 selected' }).getByRole('button', { name: 'Delete' }).click();
  const question = page.getByRole('dialog', { name: 'Delete 2 services?' });
  await question.getByRole('button', { name: 'Delete' }).click();
  assert.equal(await stateOf('gone-1'), 'running');
  await question.getByRole('textbox').fill('delete 2');
  await question.getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('dialog', { name: 'Deleting 2 services' }).getByText('2 succeeded').waitFor();
  await until('they are gone', async () => !(await idsOf(page)).some((id) => id.startsWith('gone')));
  assert.deepEqual(complaints, []);
});

test('the menu of a row offers what fits its state, and gives the focus back', async () => {
  await using opened = await openSignedIn(browser, agent, '/console/services');
  const { page, complaints } = opened;
  const button = rowOf(page, 'web').getByRole('button', { name: 'Actions for web' });
  await button.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('menuitem', { name: 'Restart' }).waitFor();
  assert.deepEqual(await page.getByRole('menuitem').allInnerTexts(), [
    'Restart',
    'Stop',
    'Logs',
    'Edit',
    'Delete',
  ]);
  await page.keyboard.press('Escape');
  await until('the button has the focus', () =>
    button.evaluate((element) => element === document.activeElement),
  );
  await rowOf(page, 'idle').getByRole('button', { name: 'Actions for idle' }).click();
  await page.getByRole('menuitem', { name: 'Start', exact: true }).click();
  await page.getByText('idle: Service started').waitFor();
  assert.equal(await stateOf('idle'), 'running');
  await rowOf(page, 'web').getByRole('button', { name: 'Actions for web' }).click();
  await page.getByRole('menuitem', { name: 'Edit' }).click();
  await page.waitForURL('**/console/services/web/edit');
  assert.deepEqual(complaints, []);
});

test('who may only read sees no service change by a click', async () => {
  const made = await agent.call('POST', '/api/v1/keys', {
    name: 'reader',
    scopes: ['read'],
    services: ['web'],
  });
  const reader = { url: agent.url, key: made.body.key };
  await using opened = await openSignedIn(browser, reader, '/console/services');
  const { page, complaints } = opened;
  await shows(page, ['web']);
  assert.equal(await page.getByRole('checkbox').count(), 0);
  assert.equal(await page.getByRole('button', { name: 'New service' }).count(), 0);
  await rowOf(page, 'web').getByRole('button', { name: 'Actions for web' }).click();
  await page.getByRole('menuitem').first().waitFor();
  assert.deepEqual(await page.getByRole('menuitem').allInnerTexts(), ['Logs']);
  assert.deepEqual(complaints, []);
});
