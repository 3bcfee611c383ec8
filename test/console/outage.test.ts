import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { type OpenPage, openConsole, openSignedIn, startBrowser } from '../helpers/browser.ts';
import { freePort } from '../helpers/free_port.ts';
import { isRunning, until } from '../helpers/system.ts';

const listen = `127.0.0.1:${await freePort()}`;
/** Writes a numbered line twenty times a second until the file is there, and then says that it was the last. */
const writes = (end: string) =>
  `i=0; until test -e ${end}; do i=$((i+1)); echo "number $i"; sleep 0.05; done; echo "the end"; exec sleep 1000`;

let browser: Browser;
let agent: RunningAgent;
let data: string;

before(async () => {
  data = await mkdtemp(join(tmpdir(), 'davit-console-outage-'));
  [browser, agent] = await Promise.all([startBrowser(), start()]);
});
after(async () => {
  await browser?.close();
  await agent?.[Symbol.asyncDispose]();
  await rm(data, { recursive: true, force: true });
});

function start(): Promise<RunningAgent> {
  return startAgent({ data, config: { listen } });
}

async function deploy(id: string, spec: object): Promise<void> {
  const { status, body } = await agent.call('POST', `/service/${id}/deploy`, spec);
  assert.equal(status, 200, JSON.stringify(body));
}

/** Another page of the same browser. */
async function openAnother(opened: OpenPage, path: string): Promise<Page> {
  const page = await opened.context.newPage();
  await page.goto(`${agent.url}/console${path}`);
  return page;
}

/** Marks a page, so that it can be told whether it was loaded again since. */
function mark(page: Page): Promise<void> {
  return page.evaluate(() => {
    document.body.dataset['mark'] = 'here';
  });
}

async function isMarked(page: Page): Promise<boolean> {
  return page.evaluate(() => document.body.dataset['mark'] === 'here');
}

/** The text of all lines that a log has loaded. */
async function copiedLines(page: Page): Promise<string[]> {
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.bringToFront();
  await page
    .getByRole('region', { name: /^Lines of/ })
    .getByRole('button', { name: 'Actions' })
    .click();
  await page.getByRole('menuitem', { name: 'Copy all lines loaded' }).click();
  await page
    .getByText(/lines? copied$/)
    .first()
    .waitFor();
  return (await page.evaluate(() => navigator.clipboard.readText())).trim().split('\n');
}

test('pages outlive the agent: they say that it is gone, keep what they show, and go on by themselves without a gap', async () => {
  const end = join(data, 'end');
  await deploy('writer', { command: writes(end) });
  await deploy('steady', { command: 'exec sleep 1000' });
  await using opened = await openSignedIn(browser, agent, '/console/');
  const overview = opened.page;
  const logs = await openAnother(opened, '/logs?services=writer');
  const service = await openAnother(opened, '/services/steady');
  await overview.getByText('Everything runs').waitFor();
  await logs
    .getByRole('log')
    .getByText(/number \d+/)
    .first()
    .waitFor();
  await service.getByRole('row', { name: /Instance 1/ }).waitFor();
  await Promise.all([overview, logs, service].map(mark));
  const pids = await Promise.all(
    ['writer', 'steady'].map((id) => agent.call('GET', `/service/${id}/status`)),
  );

  await agent.end('SIGKILL');
  for (const page of [overview, logs, service])
    await page.getByRole('alert').getByText('The agent does not answer since').waitFor();
  await overview.getByText('Everything runs').waitFor();
  await logs
    .getByRole('log')
    .getByText(/number \d+/)
    .first()
    .waitFor();
  await service.getByRole('row', { name: /Instance 1/ }).waitFor();
  await service.getByRole('button', { name: 'Restart', exact: true }).click();
  await service.getByRole('dialog').getByRole('button', { name: 'Restart', exact: true }).click();
  await service.getByRole('alert').filter({ hasText: 'The agent does not answer.' }).first().waitFor();
  const [writer, steady] = pids.map(({ body }) => body.pid as number);
  assert.ok(writer !== undefined && steady !== undefined && isRunning(writer) && isRunning(steady));
  process.kill(steady, 'SIGKILL');
  await until('the process is gone', () => !isRunning(steady));

  agent = await start();
  for (const page of [overview, logs, service])
    await page.getByRole('alert').getByText('The agent does not answer since').waitFor({ state: 'hidden' });
  const events = overview.getByRole('region', { name: 'Recent events' });
  await events
    .getByRole('listitem')
    .filter({ hasText: /steady.*(exited|ended|was ended|killed)/s })
    .first()
    .waitFor();
  await service
    .getByText(/Running$/)
    .first()
    .waitFor();
  await agent.until('GET', '/service/steady/status', ({ status }) => status === 'running');
  const { pid } = (await agent.call('GET', '/service/steady/status')).body;
  await service.getByRole('row', { name: new RegExp(`Instance 1.*${pid}`, 's') }).waitFor();

  await writeFile(end, '');
  await logs.getByRole('log').getByText('the end').waitFor();
  const lines = await copiedLines(logs);
  const numbers = lines
    .flatMap((line) => Number(/number (\d+)/.exec(line)?.[1] ?? Number.NaN))
    .filter(Number.isFinite);
  assert.ok(numbers.length > 20, `only ${numbers.length} lines`);
  const [first = 0] = numbers;
  assert.deepEqual(
    numbers,
    numbers.map((_, index) => first + index),
    'no line is missing or there twice',
  );
  for (const page of [overview, logs, service]) assert.ok(await isMarked(page), 'it was loaded again');
  assert.deepEqual(opened.complaints, []);
});

test('who was signed out elsewhere is led to sign in, and back to where one was', async () => {
  await using opened = await openSignedIn(browser, agent, '/console/services?search=wri');
  await using other = await openSignedIn(browser, agent, '/console/');
  const { page } = opened;
  const second = await openAnother(opened, '/logs?services=writer');
  await page.getByRole('link', { name: 'writer', exact: true }).waitFor();
  await second.getByRole('log').waitFor();

  await other.page.locator('summary').filter({ hasText: 'admin' }).click();
  await other.page.getByRole('button', { name: 'Sign out everywhere' }).click();
  await other.page.getByRole('dialog').getByRole('button', { name: 'Sign out everywhere' }).click();
  await other.page.waitForURL('**/console/sign-in');
  for (const one of [page, second]) {
    await one.waitForURL('**/console/sign-in?**');
    await one.getByText('You were signed out: the session has ended.').waitFor();
  }
  await page.getByLabel('API key or token', { exact: true }).fill(agent.key);
  await page.keyboard.press('Enter');
  await page.waitForURL('**/console/services?search=wri');
  await page.getByRole('link', { name: 'writer', exact: true }).waitFor();
  // The other page of this browser has the same session again.
  await second.reload();
  await second.waitForURL('**/console/logs?services=writer');
  assert.deepEqual([...opened.complaints, ...other.complaints], []);
});

test('a key that is revoked ends what was opened with it', async () => {
  const { body } = await agent.call('POST', '/api/v1/keys', { name: 'guest', scopes: ['read'] });
  await using opened = await openSignedIn(
    browser,
    { url: agent.url, key: body.key },
    '/console/services/writer',
  );
  const { page } = opened;
  await page.getByRole('row', { name: /Instance 1/ }).waitFor();
  await agent.call('DELETE', `/api/v1/keys/${body.id}`);
  await page.waitForURL('**/console/sign-in?**');
  await page.getByText('You were signed out').waitFor();
  await page.getByLabel('API key or token', { exact: true }).fill(body.key);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page
    .getByRole('alert')
    .getByText(/\S+ \S+/)
    .waitFor();
  assert.deepEqual(opened.complaints, []);
});

test('over a slow network the first thing seen makes sense, and everything can be used', async () => {
  await using opened = await openConsole(browser, agent.url, '/console/davit.svg');
  const { page } = opened;
  const network = await opened.context.newCDPSession(page);
  await network.send('Network.enable');
  await network.send('Network.emulateNetworkConditions', {
    offline: false,
    latency: 400,
    downloadThroughput: 50 * 1024,
    uploadThroughput: 50 * 1024,
  });
  await page.goto(`${agent.url}/`, { waitUntil: 'commit' });
  await page.getByLabel('API key or token', { exact: true }).fill(agent.key);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  const deployments = page.getByRole('region', { name: 'Recent deployments' });
  await deployments.getByRole('link', { name: 'writer', exact: true }).waitFor();
  await page.getByRole('link', { name: 'Services', exact: true }).first().click();
  await page.getByRole('cell').getByRole('link', { name: 'writer', exact: true }).click();
  await page.getByRole('button', { name: 'Restart', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Restart', exact: true }).click();
  await page
    .getByText(/restarted/i)
    .first()
    .waitFor();

  await network.send('Network.emulateNetworkConditions', {
    offline: true,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: -1,
  });
  await page.getByRole('button', { name: 'Restart', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Restart', exact: true }).click();
  await page.getByText('The agent does not answer.').first().waitFor();
  await network.send('Network.emulateNetworkConditions', {
    offline: false,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: -1,
  });
  await page.getByRole('link', { name: 'Overview', exact: true }).first().click();
  await deployments.getByRole('link', { name: 'writer', exact: true }).waitFor();
  assert.deepEqual(opened.complaints, []);
});

test('a wrong key, none and too many attempts are told in a sentence', async () => {
  await using strict = await startAgent({
    config: { rate_limits: { failed_authentications: { requests: 3, per: '1m' } } },
  });
  await using opened = await openConsole(browser, strict.url);
  const { page } = opened;
  const problem = page.getByRole('alert');
  const signIn = page.getByRole('button', { name: 'Sign in', exact: true });
  await signIn.click();
  await problem.getByText('Enter an API key or a token.').waitFor();
  await page.getByLabel('API key or token', { exact: true }).fill('not-a-key');
  const answers: number[] = [];
  page.on('response', (response) => {
    if (response.url().endsWith('/api/v1/session')) answers.push(response.status());
  });
  await until('the agent has enough of it', async () => {
    const before = answers.length;
    await signIn.click();
    await until('it has answered', () => answers.length > before);
    const text = await problem.innerText();
    assert.match(text, /^[A-Z].* .*$/, text);
    return answers.includes(429);
  });
  assert.ok(answers.includes(401));
  await problem.getByText(/too many|try again/i).waitFor();
  assert.deepEqual(opened.complaints, []);
});

test('a page that something in between sends in place of an answer is told as that', async () => {
  await using opened = await openConsole(browser, agent.url);
  const { page } = opened;
  await page.route('**/api/v1/session', (route) =>
    route.fulfill({ status: 200, contentType: 'text/html', body: '<h1>Accept our terms</h1>' }),
  );
  await page.getByLabel('API key or token', { exact: true }).fill(agent.key);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('alert').getByText('no answer of an agent').waitFor();
  assert.match(page.url(), /sign-in/);
  assert.deepEqual(opened.complaints, []);
});
