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

const listens = `exec ${process.execPath} -e 'require("http").createServer((q,s)=>s.end(process.env.TOKEN||"ok")).listen(process.env.PORT)'`;
const sleeps = 'exec sleep 1000';

function open(path: string) {
  return openSignedIn(browser, agent, `/console${path}`);
}

function yamlOf(page: Page) {
  return page.getByRole('textbox', { name: 'YAML' });
}

function dialogOf(page: Page) {
  return page.getByRole('dialog');
}

async function deployByApi(id: string, fields: object): Promise<void> {
  const { status, body } = await agent.call('POST', `/service/${id}/deploy`, fields);
  assert.equal(status, 200, JSON.stringify(body));
}

async function specOf(id: string) {
  return (await agent.call('GET', `/api/v1/services/${id}`)).body;
}

/** Once it is deployed one stands on the page of the service. */
async function arrive(page: Page, id: string): Promise<void> {
  await page.waitForURL(`**/console/services/${id}`);
}

test('three fields and two clicks deploy a service', async () => {
  await using opened = await open('/services/new');
  const { page, complaints } = opened;
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('first');
  await page.getByRole('textbox', { name: 'Command' }).fill(listens);
  await page.getByRole('combobox', { name: 'Port' }).fill('auto');
  await page.getByText('The agent picks a free port').waitFor();
  assert.match(await yamlOf(page).inputValue(), /^command: .*\nport: auto\n$/);
  await page.getByRole('button', { name: 'Review' }).click();
  await dialogOf(page).getByText('It is new: it is created and started.').waitFor();
  await dialogOf(page).getByText('Instance 1 starts').waitFor();
  assert.equal((await agent.call('GET', '/service/first/status')).status, 404);
  await dialogOf(page).getByRole('button', { name: 'Deploy' }).click();
  await arrive(page, 'first');
  await page.getByText('first: Service deployed as release 1').waitFor();
  const { spec, status, declared_in } = await specOf('first');
  assert.deepEqual([spec.port, status.status, declared_in], ['auto', 'running', null]);
  assert.deepEqual(complaints, []);
});

test('the form writes the YAML and the YAML fills the form, and neither loses what the other wrote', async () => {
  await using opened = await open('/services/new');
  const { page, complaints } = opened;
  const instances = page.getByRole('textbox', { name: 'Instances' });
  await yamlOf(page).fill(
    '# for the shop\ncommand: [node, server.js]\nparameters: {size: {max_length: 5}}\n',
  );
  assert.equal(await page.getByRole('textbox', { name: 'Command' }).inputValue(), 'node\nserver.js');
  await instances.fill('12');
  assert.equal(
    await yamlOf(page).inputValue(),
    '# for the shop\ncommand: [node, server.js]\nparameters: {size: {max_length: 5}}\ninstances: 12\n',
  );
  await page.getByText('Service or task, group').click();
  await page.getByText('Edited in YAML').waitFor();
  await instances.fill('1');
  assert.doesNotMatch(await yamlOf(page).inputValue(), /instances/);
  assert.equal(await instances.inputValue(), '1');
  await page.getByText('Liveness, and what a start').click();
  await page.getByRole('combobox', { name: 'Liveness probe' }).selectOption('tcp');
  assert.match(await yamlOf(page).inputValue(), /\nliveness:\n {2}type: tcp\n$/);
  assert.deepEqual(complaints, []);
});

test('while the YAML cannot be read its place is said, and the form waits', async () => {
  await using opened = await open('/services/new');
  const { page, complaints } = opened;
  await page.getByRole('textbox', { name: 'Command' }).fill('one');
  await yamlOf(page).fill('command: two\nport: [1\nuser: www\n');
  await page.getByText(/^Line \d+, column \d+: /).waitFor();
  await page.getByText('The form waits until the YAML can be read again.').waitFor();
  assert.ok(await page.getByRole('textbox', { name: 'Command' }).isDisabled());
  assert.ok(await page.getByRole('button', { name: 'Review' }).isDisabled());
  await yamlOf(page).fill('command: two\n');
  assert.equal(await page.getByRole('textbox', { name: 'Command' }).inputValue(), 'two');
  assert.ok(await page.getByRole('button', { name: 'Review' }).isEnabled());
  assert.deepEqual(complaints, []);
});

test('what is wrong is said at its field, by the browser and by the agent', async () => {
  await using opened = await open('/services/new');
  const { page, complaints } = opened;
  await page.getByRole('button', { name: 'Review' }).click();
  await page.locator('[data-field="command"]').getByText('This is needed.').waitFor();
  await page.locator('[data-field="id"]').getByText('This is needed.').waitFor();
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('Wrong Name');
  await page.locator('[data-field="id"]').getByText('This does not have the right form').waitFor();
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('wrong');
  // Only the agent can tell that this is no cron expression, and it does so where the field is folded.
  await yamlOf(page).fill('command: "true"\ntype: task\nschedule: {cron: "* * *"}\n');
  await page.getByRole('button', { name: 'Review' }).click();
  await page.locator('[data-field="schedule.cron"] .problem').waitFor();
  await page.getByRole('textbox', { name: 'Cron' }).fill('0 3 * * *');
  await page.locator('[data-field="schedule.cron"] .problem').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Review' }).click();
  await dialogOf(page).getByText('It is new').waitFor();
  assert.deepEqual(complaints, []);
});

test('a hidden value stays as it is on the server, and only what was written anew changes', async () => {
  await deployByApi('secretive', {
    command: listens,
    port: 'auto',
    env: { TOKEN: 'hunter2', OLD: 'x', LOG: 'info' },
  });
  await using opened = await open('/services/secretive/edit');
  const { page, complaints } = opened;
  assert.equal(await page.getByRole('textbox', { name: 'Value of TOKEN' }).inputValue(), '');
  await page.getByRole('button', { name: 'Remove OLD' }).click();
  await page.getByRole('textbox', { name: 'Value of LOG' }).fill('debug');
  await page.getByRole('button', { name: 'Add a variable' }).click();
  await page.getByRole('textbox', { name: 'Environment: name' }).last().fill('MORE');
  await page.getByRole('textbox', { name: 'Value of MORE' }).fill('more');
  await page.getByRole('button', { name: 'Review' }).click();
  const dialog = dialogOf(page);
  await dialog.getByText('env.OLD', { exact: true }).waitFor();
  await dialog.getByText('env.MORE', { exact: true }).waitFor();
  assert.equal(await dialog.getByText('env.TOKEN', { exact: true }).count(), 0);
  assert.doesNotMatch(await dialog.innerText(), /debug|hunter2/);
  await dialog.getByText('Instance 1 restarts').waitFor();
  await dialog.getByRole('button', { name: 'Deploy' }).click();
  await arrive(page, 'secretive');
  const { spec } = await specOf('secretive');
  assert.deepEqual(Object.keys(spec.env).sort(), ['LOG', 'MORE', 'TOKEN']);
  const { instances } = (await agent.call('GET', '/api/v1/services/secretive/instances')).body;
  assert.equal(await (await fetch(`http://127.0.0.1:${instances[0].port}`)).text(), 'hunter2');
  assert.deepEqual(complaints, []);
});

test('a name that takes the place of a hidden one is not given the mask as its value', async () => {
  await deployByApi('renamed', { command: sleeps, env: { TOKEN: 'hunter2' } });
  await using opened = await open('/services/renamed/edit');
  const { page, complaints } = opened;
  await page.getByRole('textbox', { name: 'Environment: name' }).fill('KEY');
  await page.getByText('There is no value to keep: write the value.').waitFor();
  await page.getByRole('button', { name: 'Review' }).click();
  assert.equal(await dialogOf(page).count(), 0);
  await page.getByRole('textbox', { name: 'Value of KEY' }).fill('new');
  await page.getByRole('button', { name: 'Review' }).click();
  await dialogOf(page).getByText('env.KEY', { exact: true }).waitFor();
  assert.deepEqual(complaints, []);
});

test('a plan that is not up to date any more is not carried out, and the new one is shown', async () => {
  await deployByApi('moving', { command: sleeps });
  await using opened = await open('/services/moving/edit');
  const { page, complaints } = opened;
  await yamlOf(page).fill('command: exec sleep 2000\n');
  await page.getByRole('button', { name: 'Review' }).click();
  await dialogOf(page).getByText('A new release replaces what runs.').waitFor();
  await deployByApi('moving', { command: 'exec sleep 3000', tags: ['theirs'] });
  await dialogOf(page).getByRole('button', { name: 'Deploy' }).click();
  await dialogOf(page).getByText('Something has changed since the plan that you saw').waitFor();
  await dialogOf(page).getByText('Somebody else has changed this service').waitFor();
  await dialogOf(page).getByText('exec sleep 3000', { exact: true }).waitFor();
  assert.equal((await specOf('moving')).spec.command, 'exec sleep 3000');
  await dialogOf(page).getByRole('button', { name: 'Deploy' }).click();
  await arrive(page, 'moving');
  const { spec } = await specOf('moving');
  // The second plan said that the tag goes, so it does.
  assert.deepEqual([spec.command, spec.tags], ['exec sleep 2000', []]);
  assert.deepEqual(complaints, []);
});

test('what no process could notice restarts nothing, as the plan says', async () => {
  await deployByApi('quiet', { command: sleeps });
  const { pid } = (await agent.call('GET', '/service/quiet/status')).body;
  await using opened = await open('/services/quiet/edit');
  const { page, complaints } = opened;
  await page.getByText('When it ends, and how it is ended').click();
  await page.getByText('Stop', { exact: true }).click();
  await page.getByRole('textbox', { name: 'Timeout' }).fill('9s');
  await page.getByRole('button', { name: 'Review' }).click();
  await dialogOf(page).getByText('What runs goes on.').waitFor();
  await dialogOf(page).getByText('No instance restarts, and no connection drops.').waitFor();
  await dialogOf(page).getByRole('button', { name: 'Deploy' }).click();
  await arrive(page, 'quiet');
  const { spec, status } = await specOf('quiet');
  assert.deepEqual([spec.stop.timeout, status.pid], ['9s', pid]);
  assert.deepEqual(complaints, []);
});

test('who edits a declared service is told of it, and does not take it out of its declaration', async () => {
  const source = `name: shop\nservices: {declared: {command: ${sleeps}}}`;
  assert.equal((await agent.call('POST', '/api/v1/apply', { source })).status, 200);
  await using opened = await open('/services/declared/edit');
  const { page, complaints } = opened;
  await page.getByText('This service is declared in “shop”').waitFor();
  await page.getByRole('textbox', { name: 'Command' }).fill('exec sleep 4000');
  await page.getByRole('button', { name: 'Review' }).click();
  await dialogOf(page).getByText('This service is declared in “shop”').waitFor();
  await dialogOf(page).getByRole('button', { name: 'Deploy' }).click();
  await arrive(page, 'declared');
  const { spec, declared_in } = await specOf('declared');
  assert.deepEqual([spec.command, declared_in], ['exec sleep 4000', 'shop']);
  assert.deepEqual(complaints, []);
});

test('a deployment that fails says why, and the form keeps everything', async () => {
  await using opened = await open('/services/new');
  const { page, complaints } = opened;
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('failing');
  await page.getByRole('textbox', { name: 'Command' }).fill('echo out of cheese >&2; exit 3');
  await page.getByRole('button', { name: 'Review' }).click();
  await dialogOf(page).getByRole('button', { name: 'Deploy' }).click();
  await dialogOf(page).getByText('out of cheese').waitFor();
  await dialogOf(page).getByText('failing was not deployed').waitFor();
  await dialogOf(page).getByRole('button', { name: 'Back to the form' }).click();
  const command = page.getByRole('textbox', { name: 'Command' });
  assert.equal(await command.inputValue(), 'echo out of cheese >&2; exit 3');
  await command.fill(sleeps);
  await page.getByRole('button', { name: 'Review' }).click();
  await dialogOf(page).getByRole('button', { name: 'Deploy' }).click();
  await arrive(page, 'failing');
  assert.equal((await specOf('failing')).status.status, 'running');
  assert.deepEqual(complaints, []);
});

test('a name that is taken is not written over', async () => {
  await deployByApi('taken', { command: sleeps });
  await using opened = await open('/services/new');
  const { page } = opened;
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('taken');
  await page.getByRole('textbox', { name: 'Command' }).fill('other');
  await page.getByRole('button', { name: 'Review' }).click();
  await page.locator('[data-field="id"]').getByText('There is a service “taken” already.').waitFor();
  assert.equal(await dialogOf(page).count(), 0);
});

test('who leaves with changes is asked, and a draft outlasts a reload, without secrets', async () => {
  await using opened = await open('/services/new');
  const { page, complaints } = opened;
  page.on('dialog', (dialog) => void dialog.accept());
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('drafted');
  await yamlOf(page).fill('command: a\nenv:\n  TOKEN: hunter2\n');
  assert.doesNotMatch(
    await page.evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage })),
    /hunter2/,
  );
  await page.reload();
  await page.getByText('What you had not deployed yet is here again').waitFor();
  assert.equal(await page.getByRole('textbox', { name: 'Name', exact: true }).inputValue(), 'drafted');
  await page.locator('[data-field="env"]').getByText('This is needed.').waitFor();
  await page.getByRole('link', { name: 'Overview' }).first().click();
  await dialogOf(page).getByText('Leave without deploying?').waitFor();
  await dialogOf(page).getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('link', { name: 'Overview' }).first().click();
  await dialogOf(page).getByRole('button', { name: 'Leave' }).click();
  await page.waitForURL('**/console/');
  await page.goto(`${agent.url}/console/services/new`);
  await page.getByRole('textbox', { name: 'Name', exact: true }).waitFor();
  assert.equal(await page.getByRole('textbox', { name: 'Name', exact: true }).inputValue(), '');
  assert.deepEqual(complaints, []);
});

test('whoever may only look is told so', async () => {
  const { body } = await agent.call('POST', '/api/v1/keys', { name: 'reader', scopes: ['read'] });
  await using opened = await openSignedIn(
    browser,
    { url: agent.url, key: body.key },
    '/console/services/new',
  );
  await opened.page.getByText('It needs the scope deploy.').waitFor();
  assert.equal(await opened.page.getByRole('button', { name: 'Review' }).count(), 0);
});

test('on a narrow screen the YAML is beside the form as a view of its own, and Tab leads out of it', async () => {
  await using opened = await openSignedIn(browser, agent, '/console/services/new', {
    width: 390,
    height: 844,
  });
  const { page, complaints } = opened;
  assert.ok(await yamlOf(page).isHidden());
  await page.getByRole('button', { name: 'YAML' }).click();
  await page.waitForURL('**/services/new?view=yaml');
  await yamlOf(page).focus();
  await page.keyboard.type('stop:\ntimeout: 9s');
  assert.equal(await yamlOf(page).inputValue(), 'stop:\n  timeout: 9s');
  await page.keyboard.press('Tab');
  assert.equal(await yamlOf(page).inputValue(), 'stop:\n  timeout: 9s  ');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Tab');
  await until('the focus has gone on', () =>
    yamlOf(page).evaluate((area) => area !== document.activeElement),
  );
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `the page is ${overflow} px too wide`);
  assert.deepEqual(complaints, []);
});
