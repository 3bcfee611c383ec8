import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import en from '../../src/console/messages/en/activity.ts';
import { nameActor } from '../../src/console/pages/activity/actor_name.ts';
import {
  auditRows,
  ndjsonOf,
  outcomeOf,
  writtenActions,
} from '../../src/console/pages/activity/audit_rows.ts';
import { eventKinds, eventQuery, fitsEvent } from '../../src/console/pages/activity/event_filter.ts';
import { localTime, rangeOf, timeOf } from '../../src/console/pages/activity/moments.ts';
import { type AuditRecord, auditOutcome } from '../../src/contract/audit.ts';
import { type Event, eventTypes } from '../../src/contract/events.ts';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { openSignedIn, startBrowser } from '../helpers/browser.ts';
import { until } from '../helpers/system.ts';

let browser: Browser;
let agent: RunningAgent;
let reader = '';

before(async () => {
  [browser, agent] = await Promise.all([startBrowser(), startAgent()]);
  await deploy('web');
  await deploy('api');
  reader = await createKey('reader', ['read']);
  await agent.call('POST', '/api/v1/services/nobody/stop');
  await agent.call('GET', '/api/v1/services', undefined, { authorization: 'Bearer wrong' });
});
after(async () => {
  await browser?.close();
  await agent?.[Symbol.asyncDispose]();
});

async function deploy(id: string): Promise<void> {
  const { status, body } = await agent.call('POST', `/service/${id}/deploy`, {
    command: 'exec sleep 1000',
    min_uptime: '0s',
  });
  assert.equal(status, 200, JSON.stringify(body));
}

async function createKey(name: string, scopes: string[]): Promise<string> {
  return (await agent.call('POST', '/api/v1/keys', { name, scopes })).body.key;
}

function open(path: string, key = agent.key) {
  return openSignedIn(browser, { url: agent.url, key }, `/console/${path}`);
}

function rowsOf(page: Page) {
  return page
    .getByRole('table')
    .getByRole('row')
    .filter({ has: page.getByRole('cell') });
}

/** How many rows there are, also those that are not near the window. */
async function countOf(page: Page): Promise<number> {
  const count = await page.getByRole('table').getAttribute('aria-rowcount');
  return Number(count) - 1;
}

async function choose(page: Page, filter: string, option: string): Promise<void> {
  // The text of what is chosen lies over the field.
  await page.getByRole('combobox', { name: filter, exact: true }).click({ force: true });
  await page.getByRole('option', { name: option, exact: true }).click();
}

test('the audit log tells who did what, from where, and what became of it', async () => {
  await using opened = await open('activity');
  const { page, complaints } = opened;
  await page.getByRole('link', { name: 'Audit', exact: true }).and(page.locator('[aria-current]')).waitFor();
  const deployed = rowsOf(page).filter({ hasText: 'Deploy a service' }).filter({ hasText: 'web' });
  await deployed.getByText('127.0.0.1').waitFor();
  assert.match(await deployed.innerText(), /admin[\s\S]*Done/);
  const failed = rowsOf(page).filter({ hasText: '404 service_not_found' });
  assert.match(await failed.innerText(), /Stop a service[\s\S]*nobody[\s\S]*Failed/);
  const refused = rowsOf(page).filter({ hasText: 'listServices' });
  assert.match(await refused.innerText(), /Nobody known[\s\S]*Refused[\s\S]*401 unauthenticated/);
  assert.deepEqual(complaints, []);
});

test('what the audit log is narrowed to stands in its address', async () => {
  await using opened = await open('activity/audit');
  const { page, complaints } = opened;
  await choose(page, 'Outcome', 'Failed');
  await page.waitForURL('**/activity/audit?outcome=failed');
  await until('one is left', async () => (await countOf(page)) === 1);
  await choose(page, 'What', 'Stop a service');
  await page.waitForURL('**/activity/audit?outcome=failed&action=stopService');
  await page.reload();
  await rowsOf(page).filter({ hasText: 'nobody' }).waitFor();
  await choose(page, 'What', 'Deploy a service');
  await page.getByText('Nothing fits this filter.').waitFor();
  await page.getByRole('button', { name: 'Clear the filter' }).click();
  await rowsOf(page).filter({ hasText: 'Deploy a service' }).first().waitFor();
  await choose(page, 'Service', 'api');
  await choose(page, 'When', 'The last hour');
  await page.waitForURL('**/activity/audit?service=api&when=1h');
  await until('one is left', async () => (await countOf(page)) === 1);
  await choose(page, 'When', 'From … to …');
  await page.getByLabel('Until').fill('2020-01-01T00:00');
  await page.getByLabel('Until').blur();
  await page.getByText('Nothing fits this filter.').waitFor();
  assert.deepEqual(complaints, []);
});

test('a record is shown with its request, and what is loaded is taken along', async () => {
  await using opened = await open('activity/audit?action=stopService');
  const { page, complaints } = opened;
  const button = page.getByRole('button', { name: 'Details: Stop a service' });
  await button.click();
  const { records } = (await agent.call('GET', '/api/v1/audit?action=stopService')).body;
  await page.getByRole('dialog').getByText(records[0].request_id).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  await until('the focus is back', () => button.evaluate((one) => one === document.activeElement));
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Export 1 as NDJSON' }).click(),
  ]);
  assert.equal(download.suggestedFilename(), 'audit.ndjson');
  assert.deepEqual(JSON.parse(await readFile(await download.path(), 'utf8')), records[0]);
  assert.deepEqual(complaints, []);
});

test('what is done appears at the top of the operations as it happens, and by itself only where wanted', async () => {
  await using opened = await open('activity/operations');
  const { page, complaints } = opened;
  await rowsOf(page).filter({ hasText: 'Deployment succeeded' }).first().waitFor();
  await agent.call('POST', '/api/v1/services/web/scale', { instances: 2 });
  const scaled = rowsOf(page).filter({ hasText: 'Service is scaled from 1 to 2 instances' });
  await scaled.getByRole('link', { name: 'web' }).waitFor();
  assert.match(await scaled.innerText(), /^Scaled[\s\S]*admin/);
  assert.equal(await page.getByText('By itself', { exact: true }).count(), 0);
  await page.getByText('Also what happened by itself').click();
  await page.waitForURL('**/activity/operations?all=1');
  await rowsOf(page).filter({ hasText: 'Agent started' }).getByText('By itself', { exact: true }).waitFor();
  await choose(page, 'Kind', 'Keys');
  await page.waitForURL('**/operations?all=1&kind=keys');
  await until('only keys are left', async () => (await countOf(page)) === 1);
  await createKey('newcomer', ['read']);
  await rowsOf(page).filter({ hasText: 'was made for "newcomer"' }).waitFor();
  await agent.call('POST', '/api/v1/services/web/scale', { instances: 1 });
  assert.equal(await countOf(page), 2);
  assert.deepEqual(complaints, []);
});

test('of an event it is told what led to it, back to the first', async () => {
  await using opened = await open('activity/operations?service=web&kind=services&all=1');
  const { page, complaints } = opened;
  const { events } = (await agent.call('GET', '/api/v1/events?service=web&type=service.started')).body;
  const { cause } = events[0];
  assert.notEqual(cause, null);
  await page.getByRole('button', { name: `Details: ${events[0].message}` }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText(`service.started #${events[0].id}`).waitFor();
  await dialog.getByRole('definition').getByRole('button').click();
  await dialog.getByText(`#${cause}`).waitFor();
  await dialog.getByRole('button', { name: 'Back' }).click();
  await dialog.getByText(`service.started #${events[0].id}`).waitFor();
  assert.deepEqual(complaints, []);
});

test('both lists go back as far as one scrolls, and what is new does not move what is read', async () => {
  for (let batch = 0; batch < 12; batch += 1) {
    await Promise.all(
      Array.from({ length: 10 }, () =>
        agent.call('POST', '/api/v1/services/api/signal', { signal: 'SIGWINCH' }),
      ),
    );
  }
  for (const path of ['activity/audit', 'activity/operations']) {
    await using opened = await open(path);
    const { page, complaints } = opened;
    await until('a page is there', async () => (await countOf(page)) >= 100);
    await until('the rest is there', async () => {
      await page.mouse.wheel(0, 20_000);
      return page.getByText('Nothing older is kept.').isVisible();
    });
    assert.ok((await countOf(page)) > 120);
    if (path === 'activity/operations') {
      await agent.call('POST', '/api/v1/services/api/signal', { signal: 'SIGWINCH' });
      const button = page.getByRole('button', { name: '1 newer' });
      await button.waitFor();
      const count = await countOf(page);
      await button.click();
      await until('it is there', async () => (await countOf(page)) === count + 1);
      assert.equal(await page.evaluate(() => window.scrollY), 0);
    }
    assert.deepEqual(complaints, []);
  }
});

test('after long searches for little it is asked before going on', async () => {
  await using opened = await open('activity/audit');
  const { page, complaints } = opened;
  const asked: string[] = [];
  // Hundreds of thousands of records between two that fit would take the agent minutes to write.
  await page.route(/\/audit\?.*outcome=refused/, async (route) => {
    const before = new URL(route.request().url()).searchParams.get('before') ?? '';
    asked.push(before);
    const next = asked.length < 6 ? `000000000000000${asked.length}.1` : null;
    await route.fulfill({ json: { records: [], next } });
  });
  await choose(page, 'Outcome', 'Refused');
  const further = page.getByRole('button', { name: 'Look further back' });
  await further.waitFor();
  assert.deepEqual(asked, ['', ...[1, 2, 3].map((number) => `000000000000000${number}.1`)]);
  await further.click();
  await page.getByText('Nothing fits this filter.').waitFor();
  await further.waitFor({ state: 'detached' });
  assert.equal(asked.length, 6);
  assert.deepEqual(complaints, []);
});

test('whoever administers nothing sees the operations, also where the audit log was asked for', async () => {
  for (const path of ['activity?service=web', 'activity/audit?service=web']) {
    await using opened = await open(path, reader);
    const { page, complaints } = opened;
    await rowsOf(page).filter({ hasText: 'Deployment succeeded' }).first().waitFor();
    assert.equal(await page.getByRole('navigation', { name: 'Parts of the activity' }).count(), 0);
    assert.deepEqual(complaints, []);
  }
});

test('every event and every call that is written down has a name', async () => {
  const names = Object.keys(en);
  for (const type of eventTypes) assert.ok(names.includes(`event_${type.replace('.', '_')}`), type);
  const { paths } = (await agent.call('GET', '/openapi.json')).body;
  const changing = Object.values<Record<string, { operationId: string }>>(paths).flatMap((path) =>
    Object.entries(path).flatMap(([verb, { operationId }]) =>
      verb === 'get' ? [] : operationId.replace(/V1$/, ''),
    ),
  );
  assert.deepEqual([...new Set(changing)].sort(), [...writtenActions].sort());
  for (const id of writtenActions) assert.ok(names.includes(`action_${id}`), id);
});

const event: Event = {
  id: 1,
  time: '2026-01-31T12:00:00.000Z',
  type: 'service.started',
  service: 'web',
  release: 1,
  pid: null,
  instance: null,
  actor: null,
  cause: null,
  trace_id: null,
  message: '',
};
const everything = { service: '', kind: '', actor: '', until: '', withAutomatic: true };

test('each event is of exactly one kind', () => {
  for (const type of eventTypes) {
    const kinds = Object.keys(eventKinds).filter((kind) =>
      fitsEvent({ ...event, type }, { ...everything, kind }),
    );
    // What is refused or taken over of the agent's configuration is of the agent too.
    assert.equal(kinds.length, type.startsWith('agent.configuration_') ? 2 : 1, `${type}: ${kinds}`);
  }
});

test('what comes by the stream is chosen as the agent chooses', () => {
  assert.ok(fitsEvent(event, everything));
  assert.ok(!fitsEvent(event, { ...everything, withAutomatic: false }));
  assert.ok(fitsEvent({ ...event, actor: 'key:a' }, { ...everything, withAutomatic: false }));
  assert.ok(!fitsEvent({ ...event, actor: 'key:b' }, { ...everything, actor: 'key:a' }));
  assert.ok(!fitsEvent(event, { ...everything, service: 'api' }));
  assert.ok(!fitsEvent(event, { ...everything, kind: 'keys' }));
  assert.ok(!fitsEvent(event, { ...everything, until: '2026-01-31T11:00:00.000Z' }));
  assert.deepEqual(eventQuery({ ...everything, kind: 'agent', withAutomatic: false }), {
    service: '',
    type: 'agent.*,orphan.*',
    actor: 'any',
  });
  assert.equal(eventQuery({ ...everything, actor: 'key:a' }).actor, 'key:a');
});

test('outcomes are told apart as the agent does it', () => {
  for (let http_status = 200; http_status < 600; http_status += 1) {
    assert.equal(outcomeOf(http_status), auditOutcome({ http_status }));
  }
});

test('records are shown newest first, taken along oldest first, and told apart where they are alike', () => {
  const record = (request_id: string) => ({ request_id, http_status: 200 }) as AuditRecord;
  const rows = auditRows([record('a'), record('b'), record('b')]);
  assert.deepEqual(
    rows.map(({ request_id }) => request_id),
    ['b', 'b', 'a'],
  );
  assert.equal(new Set(rows.map(({ key }) => key)).size, 3);
  assert.equal(ndjsonOf(rows), ['a', 'b', 'b'].map((id) => `${JSON.stringify(record(id))}\n`).join(''));
});

test('times go through their fields and come back', () => {
  const time = '2026-01-31T12:34:00.000Z';
  assert.equal(timeOf(localTime(time)), time);
  assert.deepEqual([localTime('1h'), localTime(''), timeOf('')], ['', '', '']);
  assert.deepEqual(rangeOf('1h'), { since: '1h', until: '' });
  assert.deepEqual(rangeOf(`/${time}`), { since: '', until: time });
});

test('an actor is called by the name of its key, or by the subject of its token', () => {
  const names = new Map([['key:a1', 'ci']]);
  assert.deepEqual(nameActor('key:a1', names), { name: 'ci', detail: 'a1' });
  assert.deepEqual(nameActor('key:b2', names), { name: 'key:b2', detail: null });
  assert.deepEqual(nameActor('jwt:https://ci.example#repo:web#1', names), {
    name: 'repo:web#1',
    detail: 'https://ci.example',
  });
});
