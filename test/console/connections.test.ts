import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, afterEach, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { WebSocket } from 'ws';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { openSignedIn, startBrowser } from '../helpers/browser.ts';
import { freePort } from '../helpers/free_port.ts';
import { fixture } from '../helpers/processes.ts';
import { until } from '../helpers/system.ts';

let browser: Browser;
let agent: RunningAgent;
let port = 0;
let sockets: WebSocket[] = [];

before(async () => {
  port = await freePort();
  const config = { router: { listeners: [{ address: `127.0.0.1:${port}` }], processes: 1 } };
  [browser, agent] = await Promise.all([startBrowser(), startAgent({ config })]);
  await Promise.all([deploy('chat'), deploy('feed')]);
});
after(async () => {
  await browser?.close();
  await agent?.[Symbol.asyncDispose]();
});
afterEach(async () => {
  for (const socket of sockets) socket.terminate();
  sockets = [];
  await agent.until('GET', '/api/v1/connections', ({ total }) => total === 0);
});

async function deploy(id: string): Promise<void> {
  const { status, body } = await agent.call('POST', `/service/${id}/deploy`, {
    command: fixture('traffic_service.mjs'),
    env: { VERSION: id },
    port: 'auto',
    min_uptime: '0s',
    readiness: { type: 'http', path: '/ready', interval: '100ms' },
    rollout: { bake: '0s' },
    routes: [{ hosts: [`${id}.test`] }],
  });
  assert.equal(status, 200, JSON.stringify(body));
}

/** A connection that stays, from an address of this host. */
async function connect(service: string, path: string, localAddress = '127.0.0.1'): Promise<WebSocket> {
  const headers = { host: `${service}.test` };
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers, localAddress });
  socket.on('error', () => {});
  sockets.push(socket);
  await once(socket, 'open');
  return socket;
}

const open = (path = '', key = agent.key) =>
  openSignedIn(browser, { url: agent.url, key }, `/console/connections${path}`);

const rowsOf = (page: Page) =>
  page.getByRole('table', { name: 'Connections' }).locator('tbody').getByRole('row');

/** The paths that are shown, once there are so many. */
async function paths(page: Page, count: number): Promise<string[]> {
  await until(`${count} connections are shown`, async () => (await rowsOf(page).count()) === count);
  return rowsOf(page).locator('[data-label="Host and path"]').allTextContents();
}

test('connections come and go by themselves, with what goes by them', async () => {
  await using opened = await open();
  const { page, complaints } = opened;
  await page.getByText('Nobody is connected').waitFor();
  const socket = await connect('chat', '/room?token=secret', '127.0.0.7');
  assert.deepEqual(await paths(page, 1), ['chat.test/room']);
  const row = rowsOf(page).first();
  assert.match((await row.textContent()) ?? '', /127\.0\.0\.7.*chat.*WebSocket/);
  socket.send('x'.repeat(3_000));
  await row.getByText('2.9 KiB').first().waitFor();
  await page.getByText('1 connection · 1 WebSocket · 1 in use').waitFor();
  socket.terminate();
  await page.getByText('Nobody is connected').waitFor();
  assert.deepEqual(complaints, []);
});

test('connections are filtered, searched and sorted, and the address says by what', async () => {
  await using opened = await open();
  const { page, complaints } = opened;
  await connect('chat', '/one', '127.0.0.5');
  await connect('feed', '/two', '127.0.0.5');
  await connect('feed', '/three', '127.0.0.6');
  await paths(page, 3);
  await page.getByRole('combobox', { name: 'Service' }).selectOption('feed');
  assert.deepEqual((await paths(page, 2)).sort(), ['feed.test/three', 'feed.test/two']);
  assert.match(page.url(), /service=feed/);
  await page.getByRole('button', { name: 'Client', exact: true }).click();
  assert.deepEqual(await paths(page, 2), ['feed.test/two', 'feed.test/three']);
  await page.getByRole('button', { name: 'Client', exact: true }).click();
  assert.deepEqual(await paths(page, 2), ['feed.test/three', 'feed.test/two']);
  await page.getByRole('textbox', { name: /Search/ }).fill('three');
  assert.deepEqual(await paths(page, 1), ['feed.test/three']);
  await page.reload();
  assert.deepEqual(await paths(page, 1), ['feed.test/three']);
  await page.getByRole('textbox', { name: /Search/ }).fill('nowhere');
  await page.getByText('Nothing fits this filter.').waitFor();
  await page.getByRole('button', { name: 'Show every connection' }).click();
  await paths(page, 3);
  await page.getByRole('button', { name: '127.0.0.5' }).first().click();
  await paths(page, 2);
  await page.getByRole('button', { name: 'Without “Client 127.0.0.5”' }).click();
  await paths(page, 3);
  await page.getByRole('button', { name: 'HTTP/1.1' }).click();
  await page.getByText('Nothing fits this filter.').waitFor();
  assert.deepEqual(complaints, []);
});

test('a long table is as high before it was scrolled through as it is afterwards', async () => {
  await Promise.all(Array.from({ length: 120 }, (_, number) => connect('chat', `/long/${number}`)));
  await using opened = await open('?sort=client');
  const { page, complaints } = opened;
  await page.getByText('120 connections').waitFor();
  const height = () => page.evaluate(() => document.documentElement.scrollHeight);
  const foretold = await height();
  await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
  await page.locator('[aria-rowindex="121"]').waitFor();
  assert.ok((await rowsOf(page).count()) < 40, 'only the rows near the window are in the document');
  assert.equal(await height(), foretold);
  await page.evaluate(() => scrollTo(0, 0));
  await page.locator('[aria-rowindex="2"]').waitFor();
  assert.equal(await height(), foretold);
  assert.deepEqual(complaints, []);
});

test('while it is paused, what is shown stays', async () => {
  await using opened = await open();
  const { page, complaints } = opened;
  await connect('chat', '/first');
  await paths(page, 1);
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByText('Paused: this is how it was at').waitFor();
  await connect('chat', '/second');
  await agent.until('GET', '/api/v1/connections', ({ total }) => total === 2);
  assert.deepEqual(await paths(page, 1), ['chat.test/first']);
  await page.getByRole('button', { name: 'Go on' }).click();
  await paths(page, 2);
  assert.deepEqual(complaints, []);
});

test('one connection is closed after it was asked for', async () => {
  await using opened = await open();
  const { page, complaints } = opened;
  const [gone, stays] = [await connect('chat', '/gone'), await connect('chat', '/stays')];
  await paths(page, 2);
  await page.getByRole('textbox', { name: /Search/ }).fill('gone');
  await paths(page, 1);
  await rowsOf(page)
    .getByRole('button', { name: /^Close the connection/ })
    .click();
  const question = page.getByRole('dialog', { name: /^Close connection/ });
  await question.getByRole('button', { name: 'Cancel' }).click();
  assert.equal(gone.readyState, WebSocket.OPEN);
  const closed = once(gone, 'close');
  await rowsOf(page)
    .getByRole('button', { name: /^Close the connection/ })
    .click();
  await question.getByRole('button', { name: 'Close', exact: true }).last().click();
  await page.getByText('1 connection is being closed.').waitFor();
  assert.equal((await closed)[0], 1001);
  assert.equal(stays.readyState, WebSocket.OPEN);
  assert.deepEqual(complaints, []);
});

test('all that fit are closed, by the filter and by what was searched for, and no others', async () => {
  await using opened = await open('?service=feed');
  const { page, complaints } = opened;
  const chat = [await connect('chat', '/a/1'), await connect('chat', '/a/2'), await connect('chat', '/b/1')];
  const feed = [await connect('feed', '/a/3'), await connect('feed', '/b/2')];
  await paths(page, 2);
  await page.getByRole('button', { name: 'Close these 2…' }).click();
  const feedClosed = Promise.all(feed.map((socket) => once(socket, 'close')));
  await page
    .getByRole('dialog', { name: 'Close 2 connections?' })
    .getByRole('button', { name: 'Close all' })
    .click();
  await page.getByText('2 connections are being closed.').waitFor();
  await feedClosed;
  assert.ok(chat.every(({ readyState }) => readyState === WebSocket.OPEN));
  await page.getByRole('button', { name: 'Show every connection' }).click();
  await paths(page, 3);
  await page.getByRole('textbox', { name: /Search/ }).fill('/a/');
  await paths(page, 2);
  const aClosed = Promise.all(chat.slice(0, 2).map((socket) => once(socket, 'close')));
  await page.getByRole('button', { name: 'Close these 2…' }).click();
  await page
    .getByRole('dialog', { name: 'Close 2 connections?' })
    .getByRole('button', { name: 'Close all' })
    .click();
  await aClosed;
  assert.equal(chat[2]?.readyState, WebSocket.OPEN);
  assert.deepEqual(complaints, []);
});

test('who may only read one service sees its connections and closes none', async () => {
  const { body } = await agent.call('POST', '/api/v1/keys', {
    name: 'reader',
    scopes: ['read'],
    services: ['feed'],
  });
  await connect('chat', '/hidden');
  await connect('feed', '/seen');
  await using opened = await open('', body.key);
  const { page, complaints } = opened;
  assert.deepEqual(await paths(page, 1), ['feed.test/seen']);
  assert.equal(await page.getByRole('button', { name: /^Close/ }).count(), 0);
  assert.deepEqual(complaints, []);
});
