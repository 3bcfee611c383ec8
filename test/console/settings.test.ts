import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { globsOf, scopes, stateOfKey } from '../../src/console/pages/settings/key_rows.ts';
import { filterSettings, textOf } from '../../src/console/pages/settings/setting_text.ts';
import { scopes as allScopes } from '../../src/contract/scalars.ts';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { openSignedIn, startBrowser } from '../helpers/browser.ts';
import { isRunning, until } from '../helpers/system.ts';

let browser: Browser;
let agent: RunningAgent;
let folder = '';
let file = '';
const configuration = 'listen: 127.0.0.1:0\npass_env: [HTTPS_PROXY]\n';

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'davit-settings-'));
  file = join(folder, 'davit.yaml');
  await writeFile(file, configuration);
  const data = await leaveOrphan();
  const options = { data, configFile: file, env: { DAVIT_LOG_LEVEL: 'info' }, flags: ['--stop-services'] };
  [browser, agent] = await Promise.all([startBrowser(), startAgent(options)]);
});
after(async () => {
  await browser?.close();
  await agent?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** Lets an agent end and lose what it knew, so that the next one finds processes of no service. */
async function leaveOrphan(): Promise<string> {
  const data = join(folder, 'data');
  const first = await startAgent({ data });
  const { status } = await first.call('POST', '/service/lost/deploy', {
    command: 'exec sleep 1000',
    min_uptime: '0s',
  });
  assert.equal(status, 200);
  await first.end('SIGKILL');
  const names = (await readdir(data)).filter((name) => /^(davit\.db|backups)/.test(name));
  await Promise.all(names.map((name) => rm(join(data, name), { recursive: true })));
  return data;
}

function open(tab: string, key = agent.key) {
  return openSignedIn(browser, { url: agent.url, key }, `/console/settings${tab}`);
}

async function createKey(name: string, scope: string, services: string[] | null = null) {
  const { body } = await agent.call('POST', '/api/v1/keys', { name, scopes: [scope], services });
  return body as { id: string; key: string };
}

function keyRow(page: Page, name: string) {
  return page.getByRole('table').first().getByRole('row').filter({ hasText: name });
}

function settingOf(page: Page, path: string) {
  return page.getByRole('listitem').filter({ has: page.getByRole('heading', { name: path, exact: true }) });
}

test('a key is made with a few clicks, shown once, and does what it was made for', async () => {
  await using opened = await open('');
  const { page, complaints } = opened;
  await page.getByRole('button', { name: 'Create a key' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Create' }).click();
  await dialog.getByText('A name is needed').waitFor();
  await dialog.getByRole('textbox', { name: 'Name' }).fill('pipeline');
  await dialog.getByText('deploy', { exact: true }).click();
  await dialog.getByText('can run commands as the user of the agent').waitFor();
  await dialog.getByRole('textbox', { name: 'Services' }).fill('Web');
  await dialog.getByText('“Web” is no id of a service').waitFor();
  await dialog.getByRole('textbox', { name: 'Services' }).fill('web, team-a-*');
  await dialog.getByText('No service fits now').waitFor();
  await dialog.getByRole('button', { name: 'Create' }).click();
  await dialog.getByText('it is shown this once').waitFor();
  const secret = (await dialog.getByLabel('Secret of the key', { exact: true }).innerText()).trim();
  const headers = { authorization: `Bearer ${secret}` };
  assert.equal((await agent.call('GET', '/services', undefined, headers)).status, 200);
  await dialog.getByRole('button', { name: 'I have kept it' }).click();
  await dialog.waitFor({ state: 'hidden' });
  assert.ok(!(await page.content()).includes(secret));
  const stored = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
  assert.ok(!stored.includes(secret));
  assert.match(await keyRow(page, 'pipeline').innerText(), /deploy[\s\S]*web, team-a-\*[\s\S]*Valid/);
  const { keys } = (await agent.call('GET', '/api/v1/keys')).body;
  const made = keys.find(({ name }: { name: string }) => name === 'pipeline');
  assert.deepEqual([made.scopes, made.services], [['deploy'], ['web', 'team-a-*']]);
  const days = (Date.parse(made.expires_at) - Date.parse(made.created_at)) / 86_400_000;
  assert.equal(Math.round(days), 90);
  assert.deepEqual(complaints, []);
});

test('a key is revoked once somebody has confirmed it, and folded away', async () => {
  const { key, id } = await createKey('leaver', 'operate');
  await using opened = await open('/keys');
  const { page, complaints } = opened;
  await page.getByRole('button', { name: 'Revoke leaver' }).click();
  await page.getByText(`Whoever uses leaver (${id}) is refused from now on`).waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  assert.equal(
    (await agent.call('GET', '/services', undefined, { authorization: `Bearer ${key}` })).status,
    200,
  );
  await page.getByRole('button', { name: 'Revoke leaver' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await page.getByText('leaver is revoked.').waitFor();
  assert.equal(
    (await agent.call('GET', '/services', undefined, { authorization: `Bearer ${key}` })).status,
    401,
  );
  await keyRow(page, 'leaver').waitFor({ state: 'detached' });
  await page.getByText('1 revoked key').first().click();
  await page.getByRole('table').last().getByText('leaver', { exact: true }).waitFor();
  assert.deepEqual(complaints, []);
});

test('the last admin key stays, and the agent says why', async () => {
  await using opened = await open('/keys');
  const { page } = opened;
  await keyRow(page, 'admin').getByText('You', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Revoke admin' }).click();
  await page.getByText('It is the key by which you are signed in').waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await page
    .getByRole('alert')
    .getByText(/last .*admin key/i)
    .waitFor();
  assert.equal((await agent.call('GET', '/services')).status, 200);
});

test('whoever revokes the own key is signed out', async () => {
  const { key } = await createKey('second admin', 'admin');
  await using opened = await open('/keys', key);
  const { page, complaints } = opened;
  await page.getByRole('button', { name: 'Revoke second admin' }).click();
  await page.getByText('you are signed out at once').waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await page.waitForURL(/\/sign-in\?/);
  assert.deepEqual(complaints, []);
});

test('signing out everywhere ends the sessions of other browsers as well', async () => {
  const { key } = await createKey('traveller', 'read');
  await using left = await open('', key);
  await using opened = await open('', key);
  await opened.page.getByRole('button', { name: 'Sign out everywhere' }).click();
  await opened.page.getByRole('dialog').getByRole('button', { name: 'Sign out everywhere' }).click();
  await opened.page.waitForURL('**/sign-in');
  await left.page.waitForURL(/\/sign-in\?/);
  assert.deepEqual([...opened.complaints, ...left.complaints], []);
});

test('every setting is shown with its value and where it comes from', async () => {
  await using opened = await open('/configuration');
  const { page, complaints } = opened;
  await page.getByText(`The file is ${file}.`).waitFor();
  assert.match(await settingOf(page, 'pass_env').innerText(), /HTTPS_PROXY[\s\S]*File[\s\S]*davit\.yaml/);
  assert.match(
    await settingOf(page, 'log_level').innerText(),
    /info[\s\S]*Environment[\s\S]*DAVIT_LOG_LEVEL/,
  );
  assert.match(await settingOf(page, 'stop_services').innerText(), /true[\s\S]*Flag[\s\S]*--stop-services/);
  assert.match(await settingOf(page, 'body_limit').innerText(), /1MB[\s\S]*Default[\s\S]*at the next start/);
  await page.getByText('Only what is set').click();
  await page.waitForURL('**/configuration?only=set');
  await settingOf(page, 'body_limit').waitFor({ state: 'detached' });
  await page.getByRole('textbox', { name: 'Search settings' }).fill('proxy');
  await page.getByText('1 setting', { exact: true }).waitFor();
  await settingOf(page, 'pass_env').waitFor();
  assert.deepEqual(complaints, []);
});

test('what waits for a restart and why a file was refused is said as it happens', async () => {
  await using opened = await open('/configuration');
  const { page, complaints } = opened;
  await settingOf(page, 'body_limit').waitFor();
  await writeFile(file, `${configuration}body_limit: 2MB\n`);
  await page.getByRole('status').getByText('body_limit: 2MB').waitFor();
  await settingOf(page, 'body_limit').getByText('After the next restart: 2MB').waitFor();
  await writeFile(file, `${configuration}no_such_setting: 1\n`);
  await page.getByRole('alert').getByText('no_such_setting').waitFor();
  await writeFile(file, configuration);
  await page.getByRole('alert').waitFor({ state: 'detached' });
  assert.deepEqual(complaints, []);
});

test('the agent tells its version and place, and how much it logs is set at once', async () => {
  await using opened = await open('/versions');
  const { page, complaints } = opened;
  const { body } = await agent.call('GET', '/api/v1/agent');
  for (const value of [body.version, body.node, body.platform, body.data, body.config_file]) {
    await page.getByRole('definition').getByText(value, { exact: true }).first().waitFor();
  }
  await page.getByText('No router is configured.').waitFor();
  // The text of what is chosen lies over the field.
  await page.getByRole('combobox', { name: 'Log level' }).click({ force: true });
  await page.getByRole('option', { name: 'debug' }).click();
  await page.getByText('The log level is debug.').waitFor();
  assert.equal((await agent.call('GET', '/api/v1/agent')).body.log_level, 'debug');
  assert.deepEqual(complaints, []);
});

test('the doctor tells what is wrong first, and an orphan is ended where one stands', async () => {
  const { orphans } = (await agent.call('GET', '/api/v1/orphans')).body;
  const [{ pid }] = orphans[0].processes;
  await using opened = await open('/doctor');
  const { page, complaints } = opened;
  await page.getByText('Looking at the agent and its host').waitFor();
  await page.getByRole('heading', { name: /in order$/ }).waitFor();
  assert.match(await page.locator('.report').innerText(), /orphans[\s\S]*in order/);
  await page.getByRole('button', { name: 'Stop the orphan of lost?' }).click();
  await page.getByText(`everything that they started: ${pid},`).waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Stop' }).click();
  await page.getByText('There are no orphans').waitFor();
  await until('it has ended', () => !isRunning(pid));
  await page.getByRole('button', { name: 'Check again' }).click();
  await page.getByText('there are none', { exact: true }).waitFor();
  assert.deepEqual(complaints, []);
});

test('whoever administers nothing sees the versions and the own session, and no more', async () => {
  const { key, id } = await createKey('reader of web', 'read', ['web']);
  for (const tab of ['', '/keys']) {
    await using opened = await open(tab, key);
    const { page, complaints } = opened;
    await page.getByText(`key:${id}`).waitFor();
    await page.getByText('on web', { exact: false }).waitFor();
    await page.getByText('Node.js').waitFor();
    assert.equal(await page.getByRole('navigation', { name: 'Parts of the settings' }).count(), 0);
    assert.equal(await page.getByRole('combobox', { name: 'Log level' }).count(), 0);
    assert.deepEqual(complaints, []);
  }
});

test('scopes are those of the contract, from least to most', () => {
  assert.deepEqual(scopes, allScopes);
});

test('a key is valid until it expires or is revoked', () => {
  const now = Date.parse('2026-01-31T12:00:00Z');
  const none = { revoked_at: null, expires_at: null };
  assert.equal(stateOfKey(none, now), 'valid');
  assert.equal(stateOfKey({ ...none, expires_at: '2026-01-31T12:00:01Z' }, now), 'valid');
  assert.equal(stateOfKey({ ...none, expires_at: '2026-01-31T12:00:00Z' }, now), 'expired');
  const revoked_at = '2026-01-30T12:00:00Z';
  assert.equal(stateOfKey({ revoked_at, expires_at: revoked_at }, now), 'revoked');
});

test('services are taken with commas and spaces between them, each once', () => {
  assert.deepEqual(globsOf(' web, team-a-* ,web\napi '), ['web', 'team-a-*', 'api']);
  assert.deepEqual(globsOf(' , '), []);
});

test('values read as they could stand in the file', () => {
  const texts = ['10s', '', true, 5, null, [], {}].map(textOf);
  assert.deepEqual(texts, ['10s', '""', 'true', '5', 'null', '[]', '{}']);
  assert.equal(textOf({ a: [1] }), '{\n  "a": [\n    1\n  ]\n}');
});

test('settings are found by every word of their names, values, descriptions and sources', () => {
  const setting = (path: string, origin: 'default' | 'file', value: unknown) =>
    ({ path, value, origin, source: null, takes_effect: 'at_once', description: 'How long' }) as const;
  const settings = [setting('metrics.interval', 'default', '10s'), setting('listen', 'file', ':80')];
  const found = (search: string, onlySet = false) =>
    filterSettings(settings, { search, onlySet }).map(({ path }) => path);
  assert.deepEqual(found(''), ['metrics.interval', 'listen']);
  assert.deepEqual(found('', true), ['listen']);
  assert.deepEqual(found('LONG 10s'), ['metrics.interval']);
  assert.deepEqual(found('long 11s'), []);
});
