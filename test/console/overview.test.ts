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
});
after(async () => {
  await browser.close();
  await agent[Symbol.asyncDispose]();
});

function deploy(id: string, fields: object) {
  return agent.call('POST', `/service/${id}/deploy`, fields);
}

/** What is told of one problem. */
function problemOf(page: Page, id: string) {
  return page
    .getByRole('listitem')
    .filter({ has: page.getByRole('link', { name: id, exact: true }) })
    .filter({ has: page.getByRole('button', { name: /View logs|Roll back/ }) });
}

test('where nothing is deployed it says how, and goes on by itself once something is', async () => {
  await using opened = await openSignedIn(browser, agent);
  const { page, complaints } = opened;
  await page.getByText('Nothing is deployed yet').waitFor();
  await page.getByText(`curl -X POST ${agent.url}/service/hello/deploy`).waitFor();
  await page.getByText('davit deploy hello --command').waitFor();
  await page.getByRole('button', { name: 'New service' }).waitFor();
  await opened.context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.getByRole('button', { name: 'Copy: On the command line of the host' }).click();
  await page.getByText('Copied').waitFor();
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^davit deploy hello --command/);
  await deploy('web', { command: 'exec sleep 1000', instances: 2 });
  await page.getByText('Everything runs').waitFor();
  await page.getByText('1 service running, 2 instances ready').waitFor();
  assert.equal(await page.getByText('Nothing is deployed yet').count(), 0);
  await page.getByRole('region', { name: 'Recent deployments' }).getByText('Succeeded').waitFor();
  assert.deepEqual(complaints, []);
});

test('a service that fails comes first, with its cause, its last words and what helps', async () => {
  await deploy('flaky', {
    command: 'test -e "$FLAG" && exec sleep 1000; sleep 1.2; echo "panic: out of cheese" >&2; exit 3',
    env: { FLAG: `${agent.data}/flag` },
    restart: { policy: 'never' },
  });
  await using opened = await openSignedIn(browser, agent);
  const { page, complaints } = opened;
  const problem = problemOf(page, 'flaky');
  await problem.getByText(/Failed$/).waitFor();
  await problem.getByText(/Process exited with code 3/).waitFor();
  await problem.getByText('panic: out of cheese').waitFor();
  await page.getByRole('heading', { name: '1 thing needs attention' }).waitFor();
  await agent.call('PATCH', '/api/v1/services/flaky', { env: { FLAG: '/' } });
  await problem.getByRole('button', { name: 'Start', exact: true }).click();
  await page.getByText('Everything runs').waitFor();
  await page.getByText('2 services running, 3 instances ready').waitFor();
  assert.deepEqual(complaints, []);
});

test('a deployment that fails is told with the line that says why, while the old release serves', async () => {
  await deploy('web', { command: 'echo "Error: no such table" >&2; echo bye; exit 1' });
  await using opened = await openSignedIn(browser, agent);
  const { page, complaints } = opened;
  const problem = problemOf(page, 'web');
  await problem.getByText('Deployment failed').waitFor();
  await problem.getByText(/did not stay up: .*exited with code 1/).waitFor();
  await problem.getByText('Error: no such table').waitFor();
  await problem.getByRole('button', { name: 'Actions for web' }).click();
  await page.getByRole('menuitem', { name: 'Silence for an hour' }).click();
  await page.getByText('Nobody is told of it until').waitFor();
  await page.getByText('Everything runs').waitFor();
  await page.getByText('One more alert is silenced or explained by another').waitFor();
  const { silences } = (await agent.call('GET', '/api/v1/silences')).body;
  assert.deepEqual(
    silences.map(({ rule, service }: { rule: string; service: string }) => ({ rule, service })),
    [{ rule: 'deployment_failed', service: 'web' }],
  );
  assert.deepEqual(complaints, []);
});

test('a release that fails can be taken back with a click', async () => {
  await deploy('shop', { command: 'exec sleep 1000' });
  await deploy('shop', { command: 'sleep 1.2; exit 4', restart: { policy: 'never' } });
  await agent.until('GET', '/service/shop/status', ({ status }) => status === 'stopped');
  await using opened = await openSignedIn(browser, agent);
  const { page, complaints } = opened;
  const problem = problemOf(page, 'shop');
  await problem.getByRole('button', { name: 'Roll back' }).click();
  const question = page.getByRole('dialog', { name: 'Roll shop back?' });
  await question.getByText('before release 2').waitFor();
  await question.getByRole('button', { name: 'Roll back' }).click();
  await agent.until(
    'GET',
    '/service/shop/status',
    ({ status, release }) => status === 'running' && release === 1,
  );
  await until('the problem is gone', async () => (await problem.count()) === 0);
  assert.deepEqual(complaints, []);
});

test('a deployment that is under way is seen, and can be cancelled', async () => {
  const deployed = deploy('slow', { command: 'exec sleep 1000', ready_log: 'never', port: null });
  await using opened = await openSignedIn(browser, agent);
  const { page, complaints } = opened;
  const deployments = page.getByRole('region', { name: 'Recent deployments' });
  await deployments.getByText('Under way').waitFor();
  await deployments.getByRole('button', { name: 'Cancel the deployment' }).click();
  const question = page.getByRole('dialog', { name: 'Cancel the deployment of slow?' });
  await question.getByRole('button', { name: 'Cancel the deployment' }).click();
  assert.equal((await deployed).body.code, 'deployment_cancelled');
  await deployments.getByText('Cancelled').waitFor();
  assert.deepEqual(complaints, []);
});

test('events arrive while one looks, and the range of the charts stands in the address', async () => {
  await using opened = await openSignedIn(browser, agent);
  const { page, complaints } = opened;
  const events = page.getByRole('region', { name: 'Recent events' });
  await events.getByRole('listitem').first().waitFor();
  await agent.call('POST', '/service/web/stop', {});
  await events.getByText('Service was stopped', { exact: false }).first().waitFor();
  await page.getByRole('button', { name: '6h' }).click();
  await page.waitForURL(/range=6h/);
  await page.getByRole('img', { name: /^CPU and memory\. CPU: .*, Memory: / }).waitFor();
  assert.deepEqual(complaints, []);
});

test('who may read one service sees what is wrong with it, and nothing of the host', async () => {
  const made = await agent.call('POST', '/api/v1/keys', {
    name: 'reader',
    scopes: ['read'],
    services: ['fl*'],
  });
  await deploy('flop', { command: 'sleep 1.2; exit 4', restart: { policy: 'never' } });
  const reader = { url: agent.url, key: made.body.key };
  await using opened = await openSignedIn(browser, reader);
  const { page, complaints } = opened;
  const problem = problemOf(page, 'flop');
  await problem.getByText(/Failed$/).waitFor();
  assert.deepEqual(await problem.getByRole('button').allInnerTexts(), ['View logs']);
  await page.getByText('Error rate').first().waitFor();
  assert.equal(await page.getByText('Disk', { exact: true }).count(), 0);
  assert.equal(await page.getByRole('link', { name: 'web', exact: true }).count(), 0);
  assert.deepEqual(complaints, []);
});
