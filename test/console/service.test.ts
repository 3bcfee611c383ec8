import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { openSignedIn, startBrowser } from '../helpers/browser.ts';
import { until } from '../helpers/system.ts';

const server = `exec ${process.execPath} ${resolve(import.meta.dirname, '../fixtures/versioned_service.mjs')}`;
let agent: RunningAgent;
let browser: Browser;
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'davit-console-service-'));
  agent = await startAgent({ config: { listen: '127.0.0.1:0', metrics: { interval: '1s' } } });
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await agent?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function deploy(id: string, spec: object): Promise<void> {
  const { status, body } = await agent.call('POST', `/service/${id}/deploy`, spec);
  assert.equal(status, 200, JSON.stringify(body));
}

/** Says yes in the dialog that asks. */
async function confirm(page: Page, button: string): Promise<void> {
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: button, exact: true }).click();
  await dialog.waitFor({ state: 'hidden' });
}

test('a deploy is followed step by step, promoted, compared with the release before it, and rolled back', async () => {
  await deploy('shop', {
    command: server,
    port: 'auto',
    env: { VERSION: '1' },
    rollout: { strategy: 'rolling', bake: 'manual' },
  });
  await using opened = await openSignedIn(browser, agent, '/console/services/shop');
  const { page } = opened;
  page.setDefaultTimeout(15_000);

  await page.getByRole('button', { name: 'Deploy', exact: true }).click();
  const dialog = page.getByRole('dialog', { name: 'Deploy shop' });
  await dialog.getByText('No connection is open with it.').waitFor();
  await dialog.getByLabel('Variables to set').fill('VERSION 2');
  await dialog.getByText('Write variables as NAME=value').waitFor();
  await dialog.getByLabel('Variables to set').fill('VERSION=2');
  await dialog.getByLabel('Tags').fill('blue');
  await dialog.getByRole('button', { name: 'Deploy', exact: true }).click();

  const panel = page.getByRole('region', { name: 'Deployment under way' });
  await panel.getByText('release 1 → 2').waitFor();
  await panel.getByText('Being compared').waitFor();
  await panel.getByText('is compared with the one before until it is promoted').first().waitFor();
  await page.getByRole('link', { name: 'Events', exact: true }).click();
  await page.waitForURL('**/services/shop/events');
  await panel.getByRole('button', { name: 'Promote' }).click();
  await confirm(page, 'Promote');
  await panel.getByText('Succeeded').waitFor();
  await panel.getByRole('button', { name: 'Close this deployment' }).click();
  await panel.waitFor({ state: 'hidden' });

  await page.getByRole('link', { name: 'Deployments', exact: true }).click();
  const first = page.getByRole('listitem').filter({ hasText: 'release 1 → 2' });
  await first.getByText('release 1 → 2').click();
  await first.getByText('Release 2 is current').waitFor();

  await page.getByRole('link', { name: 'Releases', exact: true }).click();
  await page
    .getByRole('row', { name: /Release 2 · current/ })
    .getByRole('button', { name: 'Changes' })
    .click();
  const difference = page.getByRole('region', { name: 'What differs between release 1 and release 2' });
  await difference.getByText('- blue').waitFor();
  assert.match(page.url(), /from=1&to=2/);
  await page.getByRole('button', { name: 'Roll back to release 1' }).click();
  const asked = page.getByRole('dialog', { name: 'Roll back to release 1' });
  await asked.getByText('- blue').waitFor();
  await asked.getByRole('button', { name: 'Roll back', exact: true }).click();
  await panel.getByText('Being compared').waitFor();
  await panel.getByRole('button', { name: 'Cancel deployment' }).click();
  await confirm(page, 'Cancel deployment');
  await panel.getByText(/Cancelled$/).waitFor();
  const { body } = await agent.call('GET', '/api/v1/services/shop');
  assert.deepEqual(body.spec.tags, ['blue'], 'what served before serves again');
  assert.deepEqual(opened.complaints, []);
});

test('a deploy that fails says why, what the process wrote last, and what runs as before', async () => {
  await deploy('fragile', { command: 'echo first; exec sleep 1000' });
  const { body: before } = await agent.call('GET', '/service/fragile/status');
  await using opened = await openSignedIn(browser, agent, '/console/services/fragile');
  const { page } = opened;
  page.setDefaultTimeout(15_000);

  await page.getByRole('button', { name: 'Deploy', exact: true }).click();
  const dialog = page.getByRole('dialog', { name: 'Deploy fragile' });
  await dialog.getByLabel('Working directory').fill('not/absolute');
  await dialog.getByRole('button', { name: 'Deploy', exact: true }).click();
  await dialog.getByRole('alert').getByText('cwd in the body: must be an absolute path').waitFor();
  await dialog.getByLabel('Working directory').fill('/');
  await dialog.getByLabel('Command').fill('echo out of cheese >&2; exit 3');
  await dialog.getByRole('button', { name: 'Deploy', exact: true }).click();
  const failure = page.getByRole('alert');
  await failure.getByText('out of cheese').waitFor();
  await failure
    .getByText(/exited with code 3/)
    .first()
    .waitFor();
  await failure.getByText(/Release 1 runs as before/).waitFor();
  await failure.getByRole('button', { name: 'Close' }).click();
  const panel = page.getByRole('region', { name: 'Deployment under way' });
  await panel.getByText('Failed').waitFor();
  await page.getByRole('link', { name: 'Deployments', exact: true }).click();
  await page.getByText('The new process did not stay up.').waitFor();
  const { body: now } = await agent.call('GET', '/service/fragile/status');
  assert.equal(now.status, 'running');
  assert.equal(now.command, before.command);
  assert.deepEqual(opened.complaints, []);
});

test('each action asks with what it costs, and says what came of it', async () => {
  await deploy('web', { command: server, port: 'auto', instances: 2 });
  await using opened = await openSignedIn(browser, agent, '/console/services/web');
  const { page } = opened;
  page.setDefaultTimeout(15_000);
  const choose = async (name: string) => {
    await page.getByRole('button', { name: 'More', exact: true }).click();
    await page.getByRole('menuitem', { name, exact: true }).click();
  };

  await page.getByRole('row', { name: /Instance 2/ }).waitFor();
  await page.getByRole('button', { name: 'Show processes' }).click();
  await page.getByText('versioned_service.mjs').first().waitFor();

  const pid = async (instance: number) => {
    const { body } = await agent.call('GET', '/api/v1/services/web/instances');
    return body.instances[instance - 1].pid;
  };
  const [one, two] = [await pid(1), await pid(2)];
  await page.getByRole('button', { name: 'Restart instance 2' }).click();
  await confirm(page, 'Restart');
  await until('instance 2 is another process', async () => ![two, undefined].includes(await pid(2)));
  assert.equal(await pid(1), one);

  await choose('Scale');
  const scale = page.getByRole('dialog', { name: 'Scale web' });
  await scale.getByRole('spinbutton', { name: 'Instances' }).fill('3');
  await scale.getByRole('spinbutton', { name: 'Instances' }).blur();
  await scale.getByText('1 instance is started.').waitFor();
  await scale.getByRole('button', { name: 'Scale' }).click();
  await page.getByRole('row', { name: /Instance 3.*Running/ }).waitFor();

  await choose('Pause');
  await page.getByRole('dialog').getByText('Every process is halted').waitFor();
  await confirm(page, 'Pause');
  await page
    .getByText(/Paused$/)
    .first()
    .waitFor();
  await choose('Resume');
  await page
    .getByText(/Running$/)
    .first()
    .waitFor();

  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await page.getByRole('dialog').getByText('3 instances end, with everything they started.').waitFor();
  await confirm(page, 'Stop');
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await agent.until('GET', '/service/web/status', ({ status }) => status === 'running');

  await choose('Delete…');
  const asked = page.getByRole('dialog', { name: 'Delete web?' });
  await asked.getByRole('textbox').fill('web');
  await asked.getByRole('button', { name: 'Delete' }).click();
  await page.waitForURL('**/console/services');
  assert.equal((await agent.call('GET', '/api/v1/services/web')).status, 404);
  assert.deepEqual(opened.complaints, []);
});

test('a configuration file that its check refuses stays as it was; what was written can be compared and taken back', async () => {
  const path = join(folder, 'app.conf');
  await writeFile(path, 'name: first\n');
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is what a spec holds
  const validate = 'grep -q name ${FILE} || { echo the name is missing >&2; exit 1; }';
  await deploy('filed', {
    command: 'exec sleep 1000',
    configs: [{ name: 'app', path, validate, reload: 'none' }],
  });
  await using opened = await openSignedIn(browser, agent, '/console/services/filed/configs');
  const { page } = opened;
  page.setDefaultTimeout(15_000);

  await page.getByRole('button', { name: 'Edit', exact: true }).click();
  const editor = page.getByRole('dialog', { name: 'Edit app' });
  const content = editor.getByLabel('Content');
  await until('the content is there', async () => (await content.inputValue()) === 'name: first\n');
  await content.fill('colour: red\n');
  await editor.getByRole('button', { name: 'Save' }).click();
  await editor.getByText('the name is missing').waitFor();
  assert.equal(await readFile(path, 'utf8'), 'name: first\n');
  await content.fill('name: second\n');
  await editor.getByRole('button', { name: 'Save' }).click();
  await editor.waitFor({ state: 'hidden' });
  assert.equal(await readFile(path, 'utf8'), 'name: second\n');

  await page.getByRole('button', { name: 'Versions', exact: true }).click();
  await page.getByRole('button', { name: 'Changes of version 2' }).click();
  const difference = page.getByRole('region', { name: 'From version 1 to version 2' });
  await difference.getByText('name: second').waitFor();
  await difference.getByText('name: first').waitFor();
  await page.getByRole('button', { name: 'Roll back to version 1' }).click();
  await confirm(page, 'Roll back');
  await until('the file is as it was', async () => (await readFile(path, 'utf8')) === 'name: first\n');
  assert.deepEqual(opened.complaints, []);
});

test('why a service does not run, what its probes say and what happened are told, and go on as it does', async () => {
  await deploy('flaky', {
    command: 'echo hello; sleep 1.2; echo "panic: out of cheese" >&2; exit 3',
    restart: { policy: 'never' },
  });
  await deploy('probed', {
    command: server,
    port: 'auto',
    readiness: { type: 'http', path: '/', interval: '500ms' },
  });
  await using opened = await openSignedIn(browser, agent, '/console/services/flaky');
  const { page } = opened;
  page.setDefaultTimeout(15_000);

  await page.getByText('panic: out of cheese').first().waitFor();
  await page.getByRole('button', { name: 'Show everything that led to it' }).click();
  await page
    .getByText(/exited with code 3/)
    .first()
    .waitFor();
  await page.getByRole('link', { name: 'Health', exact: true }).click();
  await page.getByText('No probe looks after this service').waitFor();
  await page.getByRole('link', { name: 'Events', exact: true }).click();
  await page
    .getByRole('row', { name: /service\.exited/ })
    .first()
    .waitFor();
  await page.getByLabel('Type').selectOption('deployment');
  await page
    .getByRole('row', { name: /service\.exited/ })
    .first()
    .waitFor({ state: 'hidden' });
  await page.getByRole('row', { name: /deployment\.succeeded/ }).waitFor();

  await page.goto(`${agent.url}/console/services/probed/health`);
  await page.getByRole('heading', { name: 'Readiness · Instance 1' }).waitFor();
  await page
    .getByText(/answered 200/)
    .first()
    .waitFor();
  await page.getByRole('img', { name: 'Readiness · Instance 1, the last 1h' }).waitFor();
  await page.goto(`${agent.url}/console/services/probed/metrics`);
  await page.getByRole('img', { name: /^Memory\. Memory: [\d.]+ MiB/ }).waitFor();
  assert.deepEqual(opened.complaints, []);
});

test('a task shows its runs, and a service without requests where they would come from', async () => {
  await deploy('nightly', { command: 'echo done', type: 'task', schedule: { cron: '0 3 * * *' } });
  await using opened = await openSignedIn(browser, agent, '/console/services/nightly');
  const { page } = opened;
  page.setDefaultTimeout(15_000);

  await page.getByText('It has not run yet').waitFor();
  await page.getByRole('button', { name: 'Run now' }).click();
  await page.getByRole('row', { name: /Succeeded.*somebody/ }).waitFor();
  await page.getByRole('link', { name: 'Routes', exact: true }).click();
  await page.getByText('No rule leads to this service').waitFor();
  await page.getByRole('link', { name: 'Settings', exact: true }).nth(1).click();
  await page.getByText('schedule.cron').waitFor();
  await page.getByText('0 3 * * *').first().waitFor();
  assert.deepEqual(opened.complaints, []);
});

test('what a key may not do is not shown, and a service that is gone is said to be', async () => {
  await deploy('seen', { command: 'exec sleep 1000', env: { TOKEN: 'sesame' } });
  const { body } = await agent.call('POST', '/api/v1/keys', { name: 'reader', scopes: ['read'] });
  await using opened = await openSignedIn(
    browser,
    { url: agent.url, key: body.key },
    '/console/services/seen',
  );
  const { page } = opened;
  page.setDefaultTimeout(15_000);

  await page.getByRole('row', { name: /Instance 1/ }).waitFor();
  for (const name of ['Deploy', 'Stop', 'Restart', 'More', 'Restart instance 1'])
    assert.equal(await page.getByRole('button', { name, exact: true }).count(), 0, name);
  await page.goto(`${agent.url}/console/services/seen/settings`);
  await page.getByText('env.TOKEN').waitFor();
  assert.equal((await page.content()).includes('sesame'), false);

  await agent.call('DELETE', '/api/v1/services/seen');
  await page.getByText('seen is not there any more').waitFor();
  await page.goto(`${agent.url}/console/services/nobody`);
  await page.getByText('There is no service nobody').waitFor();
  await page.getByRole('link', { name: 'All services' }).click();
  await page.waitForURL('**/console/services');
  assert.deepEqual(opened.complaints, []);
});
