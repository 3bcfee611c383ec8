import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { type OpenPage, openSignedIn, startBrowser } from '../helpers/browser.ts';
import { freePort } from '../helpers/free_port.ts';
import { until } from '../helpers/system.ts';

/** More rows than that are never in the page, however long the log is. */
const mostRows = 300;
const listen = `127.0.0.1:${await freePort()}`;
let agent: RunningAgent;
let browser: Browser;
let folder: string;
let data: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'davit-console-logs-'));
  data = await mkdtemp(join(tmpdir(), 'davit-console-logs-data-'));
  agent = await startAgent({ data, config: { listen } });
  browser = await startBrowser();
  for (const id of ['web', 'api', 'shop']) await startWriter(id);
  await deploy('million', { command: "seq -f 'line %.0f of many' 1 1000000; exec sleep 1000" });
});
after(async () => {
  await browser?.close();
  await agent?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
  await rm(data, { recursive: true, force: true });
});

async function deploy(id: string, spec: object): Promise<void> {
  const { status, body } = await agent.call('POST', `/service/${id}/deploy`, spec);
  assert.equal(status, 200, JSON.stringify(body));
}

/** A service that writes what `write` gives it. */
async function startWriter(id: string): Promise<void> {
  const [out, err] = [join(folder, id), join(folder, `${id}.err`)];
  await Promise.all([writeFile(out, ''), writeFile(err, '')]);
  await deploy(id, { command: `tail -n +1 -f ${err} >&2 & exec tail -n +1 -f ${out}` });
}

/** Resolves when the agent has the last of the lines. */
async function write(
  id: string,
  lines: readonly string[],
  stream: 'stdout' | 'stderr' = 'stdout',
): Promise<void> {
  const file = join(folder, stream === 'stdout' ? id : `${id}.err`);
  await appendFile(file, lines.map((line) => `${line}\n`).join(''));
  await agent.until(
    'GET',
    `/service/${id}/logs?lines=1&stream=${stream}`,
    ({ lines: [last] }) => last?.line === lines.at(-1),
  );
}

function open(address: string): Promise<OpenPage> {
  return openSignedIn(browser, agent, `/console/logs?${address}`);
}

/** The line whose text this is. */
function row(page: Page, text: string | RegExp) {
  return page.getByRole('log').locator('.log-line .text').filter({ hasText: text });
}

async function texts(page: Page): Promise<string[]> {
  return page.getByRole('log').locator('.log-line .text').allTextContents();
}

test('a log is followed, paused without losing anything, and followed again', async () => {
  await write('web', ['the first line', 'the second line']);
  await using opened = await open('services=web');
  const { page } = opened;
  await row(page, 'the second line').waitFor();
  await write('web', ['it follows']);
  await row(page, 'it follows').waitFor();

  await page.getByRole('button', { name: 'Pause' }).click();
  await write('web', ['missed 1', 'missed 2', 'missed 3']);
  await page.getByRole('button', { name: '3 new lines' }).waitFor();
  assert.deepEqual(await texts(page), ['the first line', 'the second line', 'it follows']);
  await page.getByRole('button', { name: '3 new lines' }).click();
  await row(page, 'missed 3').waitFor();
  assert.deepEqual((await texts(page)).slice(2), ['it follows', 'missed 1', 'missed 2', 'missed 3']);

  await write(
    'web',
    Array.from({ length: 200 }, (_, index) => `filling ${index}`),
  );
  await row(page, 'filling 199').waitFor();
  await row(page, 'filling 198').click();
  await page.getByRole('button', { name: 'Copy line' }).waitFor();
  await row(page, 'filling 190').waitFor();
  await row(page, 'filling 198').click();
  await page.getByRole('log').hover();
  await page.mouse.wheel(0, -600);
  await page.getByRole('button', { name: 'Follow' }).waitFor();
  await write('web', ['while looking up']);
  await page.getByRole('button', { name: '1 new line' }).waitFor();
  await page.getByRole('log').press('End');
  await row(page, 'while looking up').waitFor();
  await page.getByRole('button', { name: 'Pause' }).waitFor();
  assert.deepEqual(opened.complaints, []);
});

test('a log is followed on when there comes to be more room for it', async () => {
  await startWriter('room');
  await write(
    'room',
    Array.from({ length: 200 }, (_, index) => `high ${index}`),
  );
  await using opened = await open('services=room');
  const { page } = opened;
  await row(page, 'high 199').waitFor();
  await page.getByRole('log').evaluate(async (log) => {
    const drawn = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    for (const height of ['200px', '', '300px', '']) {
      log.style.flex = height && `0 0 ${height}`;
      // Who asks for this has everything laid out at once, and a browser may tell of the scroll before it tells of the size.
      log.getBoundingClientRect();
      log.dispatchEvent(new Event('scroll'));
      await drawn();
      await drawn();
    }
  });
  await write('room', ['after all that']);
  await row(page, 'after all that').waitFor();
  await page.getByRole('button', { name: 'Pause' }).waitFor();
});

test('of a million lines only those that are seen are in the page, and each can be gone to', async () => {
  await agent.until(
    'GET',
    '/service/million/logs?lines=1',
    ({ lines: [last] }) => last?.line === 'line 1000000 of many',
  );
  await using opened = await open('services=million');
  const { page } = opened;
  await row(page, 'line 1000000 of many').waitFor();
  await page.getByRole('log').hover();
  const numbers: number[] = [];
  for (let turn = 0; turn < 60; turn++) {
    await page.mouse.wheel(0, -4_000);
    const shown = await texts(page);
    assert.ok(shown.length > 0 && shown.length < mostRows, `${shown.length} rows`);
    const found = shown.map((text) => Number(/line (\d+)/.exec(text)?.[1]));
    assert.deepEqual(
      found,
      found.map((_, index) => (found[0] ?? 0) + index),
      'lines follow one another',
    );
    numbers.push(found[0] ?? 0);
  }
  assert.ok((numbers.at(-1) ?? 0) < 999_000, `it came to ${numbers.at(-1)}`);

  await page.getByLabel('Search lines').fill('line 500000 of');
  await row(page, 'line 500000 of').click();
  await page.getByRole('button', { name: 'Show around this line' }).click();
  await row(page, 'line 500001 of').waitFor();
  await row(page, 'line 499999 of').waitFor();
  assert.equal(await page.getByLabel('Search lines').inputValue(), '');
  // Down again, over the end of what was loaded at first.
  await until('it has come down to it', async () => {
    await page.getByRole('log').hover();
    await page.mouse.wheel(0, 1_000);
    assert.ok((await texts(page)).length < mostRows);
    return (await row(page, 'line 502000 of').count()) > 0;
  });
  await page.getByRole('button', { name: 'Go to the newest' }).click();
  await row(page, 'line 1000000 of many').waitFor();
  assert.doesNotMatch(page.url(), /time=/);
  assert.deepEqual(opened.complaints, []);
});

test('several services are merged by time, chosen by hand, and filtered by what the address says', async () => {
  await write('api', ['api says hello']);
  await write('shop', ['WARN shop is slow']);
  await write('api', ['ERROR api is down'], 'stderr');
  await using opened = await open('');
  const { page } = opened;
  await page.getByRole('button', { name: 'api', exact: true }).click();
  await row(page, 'api says hello').waitFor();
  await page.getByRole('button', { name: 'api', exact: true }).click();
  await page.locator('label', { hasText: 'shop' }).click();
  await page.keyboard.press('Escape');
  await row(page, 'shop is slow').waitFor();
  assert.deepEqual(await texts(page), ['api says hello', 'WARN shop is slow', 'ERROR api is down']);
  assert.match(page.url(), /services=api(,|%2C)shop/);
  assert.equal(await page.getByRole('log').getByText('shop/1').count(), 1);

  await page.getByLabel('Search lines').fill('API');
  await until('the search', async () => (await texts(page)).length === 2);
  await page.getByRole('button', { name: 'Match case' }).click();
  await page.getByText('No line fits this filter').waitFor();
  await page.getByRole('button', { name: 'Match case' }).click();
  await page.getByLabel('Search lines').fill('^(api|shop) ');
  await page.getByText('No line fits this filter').waitFor();
  await page.getByRole('button', { name: 'Regular expression' }).click();
  await row(page, 'api says hello').waitFor();
  assert.deepEqual(await page.getByRole('log').locator('mark').allTextContents(), ['api ']);
  await page.getByLabel('Search lines').fill('(api');
  await page
    .getByRole('alert')
    .getByText(/is not a regular expression/)
    .waitFor();

  await page.goto(`${agent.url}/console/logs?services=api,shop&level=warn&stream=stderr`);
  await row(page, 'api is down').waitFor();
  assert.deepEqual(await texts(page), ['ERROR api is down']);
  await write('api', ['just saying', 'ERROR again'], 'stderr');
  await row(page, 'ERROR again').waitFor();
  assert.deepEqual(await texts(page), ['ERROR api is down', 'ERROR again']);
  assert.deepEqual(opened.complaints, []);
});

test('colours are kept, JSON is unfolded, and nothing that a line holds becomes a part of the page', async () => {
  const hostile =
    '<img src=x onerror="document.title=1"> \u001b]8;;https://example.org\u0007link\u001b]8;;\u0007 \u001b[31mred\u001b[0m';
  await startWriter('looks');
  await write('looks', [
    hostile,
    '{"level":"error","msg":"no stock","order":{"id":12345678901234567890,"items":[1,2]}}',
  ]);
  await using opened = await open('services=looks');
  const { page } = opened;
  await row(page, 'no stock').waitFor();
  assert.deepEqual(await texts(page), [
    '<img src=x onerror="document.title=1"> link red',
    'no stock order={"id":12345678901234567890,"items":[1,2]}',
  ]);
  assert.equal(await page.getByRole('log').locator('img, a').count(), 0);
  const colour = (text: string) =>
    row(page, 'link')
      .locator('span', { hasText: text })
      .evaluate((element) => getComputedStyle(element).color);
  assert.notEqual(
    await colour('red'),
    await row(page, 'link').evaluate((element) => getComputedStyle(element).color),
  );

  await page.getByRole('log').focus();
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.getByText('"id": 12345678901234567890,').waitFor();
  await page.getByRole('log').getByText('error', { exact: true }).last().waitFor();
  await page.keyboard.press('Enter');
  await page.getByText('"id": 12345678901234567890,').waitFor({ state: 'hidden' });
  await page.keyboard.press('/');
  await page.keyboard.type('stock');
  await page.getByRole('log').locator('mark').waitFor();
  assert.deepEqual(await texts(page), ['no stock order={"id":12345678901234567890,"items":[1,2]}']);
  assert.deepEqual(opened.complaints, []);
});

test('lines are copied and downloaded, and a link leads others to the same line', async () => {
  await startWriter('taken');
  await write('taken', ['one', 'two', 'three']);
  await using opened = await open('services=taken&search=t');
  const { page, context } = opened;
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await row(page, 'three').waitFor();
  const menu = async (item: string) => {
    await page.getByRole('button', { name: 'Actions' }).click();
    await page.getByRole('menuitem', { name: item }).click();
  };
  await menu('Copy all lines loaded');
  await page.getByText('2 lines copied').waitFor();
  assert.match(
    await page.evaluate(() => navigator.clipboard.readText()),
    /^\S+Z taken\/1 two\n\S+Z taken\/1 three$/,
  );

  const downloading = page.waitForEvent('download');
  await menu('Download as text');
  const file = await (await downloading).path();
  assert.deepEqual(
    (await readFile(file, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => line.split(' ').at(-1)),
    ['two', 'three'],
  );

  await row(page, 'two').click();
  await page.getByRole('button', { name: 'Copy link' }).click();
  await page.getByText('Copied', { exact: true }).waitFor();
  await page.goto(await page.evaluate(() => navigator.clipboard.readText()));
  await row(page, 'two').waitFor();
  assert.deepEqual(await texts(page), ['one', 'two', 'three']);
  assert.deepEqual(await page.locator('.row.current .text').allTextContents(), ['two']);
  assert.deepEqual(opened.complaints, []);
});

test('of one instance of a service, its lines alone are downloaded', async () => {
  await deploy('pair', { command: 'echo "from $DAVIT_INSTANCE"; exec sleep 1000', instances: 2 });
  await agent.until('GET', '/service/pair/logs', ({ lines }) => lines.length === 2);
  await using opened = await openSignedIn(browser, agent, '/console/services/pair/logs?instance=2');
  const { page } = opened;
  await row(page, 'from 2').waitFor();
  await page.getByRole('button', { name: 'Actions' }).click();
  const downloading = page.waitForEvent('download');
  await page.getByRole('menuitem', { name: 'Download as NDJSON' }).click();
  const download = await downloading;
  assert.match(download.suggestedFilename(), /^davit-pair\.i2-/);
  const lines = (await readFile(await download.path(), 'utf8')).trim().split('\n');
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).line),
    ['from 2'],
  );
  assert.deepEqual(opened.complaints, []);
});

test('a stream that breaks off goes on with the agent: no line twice, and none lost', async () => {
  await startWriter('lasting');
  await write('lasting', ['before']);
  await using opened = await open('services=lasting,web&search=lasting');
  const { page } = opened;
  await page.getByLabel('Search lines').fill('');
  await row(page, 'before').waitFor();
  await agent.end();
  await appendFile(join(folder, 'lasting'), 'while nobody was there\n');
  agent = await startAgent({ data, config: { listen } });
  await write('lasting', ['after']);
  await row(page, 'after').waitFor();
  assert.deepEqual((await texts(page)).slice(-3), ['before', 'while nobody was there', 'after']);
});
