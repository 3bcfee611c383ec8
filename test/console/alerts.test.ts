import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { openSignedIn, startBrowser } from '../helpers/browser.ts';
import { until } from '../helpers/system.ts';
import { receiveWebhooks, type WebhookReceiver } from '../helpers/webhook_receiver.ts';

const api = '/api/v1';
let agent: RunningAgent;
let browser: Browser;
let receiver: WebhookReceiver;

before(async () => {
  [browser, receiver] = await Promise.all([startBrowser(), receiveWebhooks()]);
  agent = await startAgent({
    config: {
      listen: '127.0.0.1:0',
      metrics: { interval: '1s' },
      alerts: {
        allowed_targets: ['127.0.0.1'],
        notifiers: [{ name: 'desk', type: 'exec', command: ['/bin/false'], services: ['nothing-*'] }],
        rules: [{ name: 'unhealthy', event: 'unhealthy', for: '5m' }],
      },
    },
  });
});
after(async () => {
  await browser?.close();
  await agent?.[Symbol.asyncDispose]();
  await receiver?.[Symbol.asyncDispose]();
});

async function deploy(id: string, command: string): Promise<void> {
  const spec = { command, min_uptime: '0s', restart: { policy: 'never' } };
  const { status, body } = await agent.call('POST', `/service/${id}/deploy`, spec);
  assert.equal(status, 200, JSON.stringify(body));
}

/** Says yes in the dialog that asks. */
async function confirm(page: Page, button: string): Promise<void> {
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: button, exact: true }).click();
  await dialog.waitFor({ state: 'hidden' });
}

function itemOf(page: Page, service: string) {
  return page.getByRole('listitem').filter({ has: page.getByRole('link', { name: service, exact: true }) });
}

test('a service that fails is told at once, silenced for a while, told again, and is history when it is over', async () => {
  await using opened = await openSignedIn(browser, agent, '/console/alerts');
  const { page } = opened;
  await page.getByText('All is quiet').waitFor();
  await page.getByText('A service has failed and is not started again').waitFor();
  await deploy('fragile', 'echo out of cheese >&2; sleep 0.3; exit 3');
  const item = itemOf(page, 'fragile');
  await item.getByText(/fragile has failed: Process exited with code 3/).waitFor();
  await page.getByRole('heading', { name: 'Critical (1)' }).waitFor();
  await item.getByRole('button', { name: 'Details of service_failed, fragile' }).click();
  await item.getByText('out of cheese').waitFor();
  await item.getByText('What led to it, the newest first').waitFor();

  await item.getByRole('button', { name: 'Silence service_failed, fragile' }).click();
  const dialog = page.getByRole('dialog', { name: 'Silence alerts' });
  await dialog.getByText('One alert that is there now fits.').waitFor();
  await dialog.getByLabel('For', { exact: true }).selectOption('4h');
  await dialog.getByLabel('Service', { exact: true }).fill('other-*');
  await dialog.getByText('No alert that is there now fits.').waitFor();
  await dialog.getByLabel('Service', { exact: true }).fill('fragile');
  await dialog.getByLabel('Comment').fill('new disks');
  await dialog.getByRole('button', { name: 'Silence', exact: true }).click();
  await item.getByText('Silenced').waitFor();
  await item.getByText(/Nobody is told until .*: new disks/).waitFor();
  const { silences } = (await agent.call('GET', `${api}/silences`)).body;
  assert.partialDeepStrictEqual(silences, [
    { rule: 'service_failed', service: 'fragile', comment: 'new disks' },
  ]);
  assert.equal(
    Math.round((Date.parse(silences[0].ends_at) - Date.parse(silences[0].starts_at)) / 3_600_000),
    4,
  );

  await page.getByRole('link', { name: 'Silences', exact: true }).click();
  await page.waitForURL('**/alerts/silences');
  await page.getByRole('button', { name: 'End the silence: service_failed of fragile' }).click();
  await confirm(page, 'End');
  await page.getByText('Nothing is silenced').waitFor();
  await page.getByText('Alerts of service_failed on fragile are silenced no more').waitFor();
  await page.getByRole('link', { name: 'Firing (1)' }).click();
  await item
    .getByText(/Firing$/)
    .first()
    .waitFor();

  await page.getByRole('link', { name: 'History', exact: true }).click();
  await page.getByText('Nothing has been over yet').waitFor();
  await agent.call('POST', '/service/fragile/stop', {});
  const row = page.getByRole('row').filter({ hasText: 'service_failed' });
  await row.getByRole('link', { name: 'fragile' }).waitFor();
  await row.getByRole('button', { name: 'Details of service_failed, fragile' }).click();
  await page.getByRole('dialog').getByText('out of cheese').waitFor();
  assert.match(page.url(), /alert=/);
  assert.deepEqual(opened.complaints, []);
});

test('a rule is made by what it watches, fires, is edited and deleted; those of the configuration only say so', async () => {
  await deploy('web', 'exec sleep 1000');
  await using opened = await openSignedIn(browser, agent, '/console/alerts/rules');
  const { page } = opened;
  const row = (name: string) => page.getByRole('row').filter({ has: page.getByText(name, { exact: true }) });
  await row('service_failed').getByText('Ready-made').waitFor();
  await row('unhealthy').getByText('Configuration').waitFor();
  assert.equal(await page.getByRole('button', { name: /^(Edit|Delete) / }).count(), 0);

  await page.getByRole('button', { name: 'New rule' }).click();
  const dialog = page.getByRole('dialog', { name: 'New rule' });
  await dialog.getByLabel('Name').fill('hungry');
  await dialog.getByLabel('Value', { exact: true }).selectOption('service.memory');
  await dialog.getByText('Resident memory of every process of the service. In bytes.').waitFor();
  await dialog.getByLabel('Threshold').fill('much');
  await dialog.getByLabel('Services').fill('web, api-*');
  await dialog.getByText('One service fits now.').waitFor();
  await dialog.getByRole('img', { name: /service\.memory in the last 6 hours/ }).waitFor();
  await dialog.getByLabel('For', { exact: true }).fill('0s');
  await dialog.getByRole('button', { name: 'Create' }).click();
  await dialog.getByRole('alert').first().waitFor();
  await dialog.getByLabel('Threshold').fill('1024');
  await dialog.getByText('Only these').click();
  await dialog.getByRole('checkbox', { name: 'desk' }).press('Space');
  await dialog.getByLabel('Summary').fill('See the runbook.');
  await dialog.getByRole('button', { name: 'Create' }).click();
  await dialog.waitFor({ state: 'hidden' });
  await row('hungry').getByText('service.memory above 1 KiB').waitFor();
  await row('hungry').getByText('1 firing').waitFor();
  const { body: made } = await agent.call('GET', `${api}/alert_rules/hungry`);
  assert.partialDeepStrictEqual(made, {
    above: 1024,
    services: ['web', 'api-*'],
    notify: ['desk'],
    for: '0s',
  });

  await page.getByRole('button', { name: 'Edit hungry' }).click();
  const editor = page.getByRole('dialog', { name: 'Edit hungry' });
  await editor.getByLabel('Fires while it').selectOption('below');
  await editor.getByLabel('Severity').selectOption('critical');
  await editor.getByRole('button', { name: 'Save' }).click();
  await editor.waitFor({ state: 'hidden' });
  await row('hungry').getByText('service.memory below 1 KiB').waitFor();
  await row('hungry').getByText('Calm').waitFor();
  const { body: changed } = await agent.call('GET', `${api}/alert_rules/hungry`);
  assert.partialDeepStrictEqual(changed, {
    below: 1024,
    severity: 'critical',
    summary: 'See the runbook.',
    notify: ['desk'],
  });
  assert.equal(changed.above, undefined);

  await page.getByRole('button', { name: 'Delete hungry' }).click();
  await confirm(page, 'Delete');
  await row('hungry').waitFor({ state: 'hidden' });
  assert.equal((await agent.call('GET', `${api}/alert_rules/hungry`)).status, 404);
  assert.deepEqual(opened.complaints, []);
});

test('a notifier is made, tested with its exact outcome, changed without its secrets, and deleted', async () => {
  await using opened = await openSignedIn(browser, agent, '/console/alerts/notifiers');
  const { page } = opened;
  const item = (name: string) =>
    page.getByRole('listitem').filter({ has: page.getByRole('heading', { name, exact: true }) });
  await item('desk').getByRole('button', { name: 'Send a test to desk' }).click();
  await item('desk')
    .getByText(/It did not arrive: notifier "desk"/)
    .waitFor();
  assert.equal(await item('desk').getByRole('button', { name: 'Edit desk' }).count(), 0);

  await page.getByRole('button', { name: 'New notifier' }).click();
  const dialog = page.getByRole('dialog', { name: 'New notifier' });
  await dialog.getByLabel('Name').fill('hook');
  await dialog.getByLabel('Receiver').selectOption('davit');
  await dialog.getByLabel('Address').fill('http://10.1.2.3/hook');
  await dialog.getByLabel('More headers').fill('X-Team: ops');
  await dialog.getByRole('button', { name: 'Create' }).click();
  await dialog.getByRole('alert').getByText('10.1.2.3').first().waitFor();
  await dialog.getByLabel('Address').fill('http://127.0.0.1:9/hook');
  await dialog.getByRole('button', { name: 'Create' }).click();
  await dialog.waitFor({ state: 'hidden' });
  await item('hook').getByText('http://127.0.0.1:9').waitFor();
  await page.getByRole('button', { name: 'Send a test to hook' }).click();
  await item('hook')
    .getByText(/It did not arrive: .*ECONNREFUSED/)
    .waitFor();

  await page.getByRole('button', { name: 'Edit hook' }).click();
  const editor = page.getByRole('dialog', { name: 'Edit hook' });
  assert.equal(await editor.getByLabel('Address').inputValue(), '');
  assert.equal(await editor.getByLabel('Receiver').inputValue(), 'davit');
  await editor.getByText('Header X-Team', { exact: true }).waitFor();
  await editor.getByLabel('Address').fill(receiver.url);
  await editor.getByText('Another receiver gets none of the secrets').waitFor();
  await editor.getByLabel('Signing secret').fill('very secret');
  await editor.getByLabel('More headers').fill('X-Team: ops\nX-Floor: 3');
  await editor.getByRole('button', { name: 'Save' }).click();
  await editor.waitFor({ state: 'hidden' });
  await page.getByRole('button', { name: 'Edit hook' }).click();
  await editor.getByRole('button', { name: 'Take out: Header X-Floor' }).click();
  await editor.getByLabel('One try may take').fill('3s');
  await editor.getByRole('button', { name: 'Save' }).click();
  await editor.waitFor({ state: 'hidden' });
  const { notifiers } = (await agent.call('GET', `${api}/notifiers`)).body;
  const hook = notifiers.find(({ name }: { name: string }) => name === 'hook');
  assert.deepEqual([hook.timeout, hook.target], ['3s', new URL(receiver.url).origin]);
  assert.deepEqual(hook.secrets.toSorted(), ['headers.X-Team', 'secret', 'url']);
  await page.getByRole('button', { name: 'Send a test to hook' }).click();
  await item('hook')
    .getByText(/It arrived within \d+ ms: status 200/)
    .waitFor();
  await item('hook').getByText('What the receiver answered').waitFor();
  await until('a test has come', async () =>
    receiver.received.some(({ notification }) => notification.status === 'test'),
  );
  assert.ok(!(await page.content()).includes('very secret'));

  await page.getByRole('button', { name: 'Delete hook' }).click();
  await confirm(page, 'Delete');
  await item('hook').waitFor({ state: 'hidden' });
  assert.deepEqual(opened.complaints, []);
});

test('a key sees no buttons for what it may not do', async () => {
  const keyWith = async (scopes: string[], services: string[] | null) => {
    const { body } = await agent.call('POST', `${api}/keys`, { name: scopes.join(), scopes, services });
    return { url: agent.url, key: String(body.key) };
  };
  const open = async (page: Page, tab: string) => {
    await page.getByRole('navigation', { name: 'Alerts' }).getByRole('link', { name: tab }).click();
    await page.getByRole('heading', { level: 2, name: tab }).waitFor();
  };
  const reader = await keyWith(['read'], null);
  await using read = await openSignedIn(browser, reader, '/console/alerts/rules');
  await read.page.getByRole('row').filter({ hasText: 'service_failed' }).waitFor();
  assert.equal(await read.page.getByRole('button', { name: 'New rule' }).count(), 0);
  await open(read.page, 'Silences');
  assert.equal(await read.page.getByRole('button', { name: 'New silence' }).count(), 0);
  await open(read.page, 'Notifiers');
  await read.page.getByRole('heading', { name: 'desk' }).waitFor();
  assert.equal(await read.page.getByRole('main').getByRole('button').count(), 0);

  const operator = await keyWith(['operate'], ['web']);
  await using operate = await openSignedIn(browser, operator, '/console/alerts/silences');
  await operate.page.getByRole('button', { name: 'New silence' }).click();
  const dialog = operate.page.getByRole('dialog', { name: 'Silence alerts' });
  await dialog.getByText('Your key does not allow this for these services.').waitFor();
  assert.ok(await dialog.getByRole('button', { name: 'Silence', exact: true }).isDisabled());
  await dialog.getByLabel('Service', { exact: true }).fill('web');
  await dialog.getByRole('button', { name: 'Silence', exact: true }).click();
  await operate.page.getByRole('button', { name: 'End the silence: Everything about web' }).waitFor();
  assert.equal(await operate.page.getByRole('link', { name: 'Notifiers' }).count(), 0);
  assert.deepEqual([...read.complaints, ...operate.complaints], []);
});
