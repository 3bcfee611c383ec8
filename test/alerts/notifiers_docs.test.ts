import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { makeNotifier } from '../../src/alerts/notifiers/make_notifier.ts';
import { renderTemplate } from '../../src/alerts/notifiers/template.ts';
import { alertsField } from '../../src/config/alerts.ts';
import { newNotifier, replaceNotifier, webhookFormats } from '../../src/contract/notifiers.ts';
import { type ReceivedRequest, startHttpReceiver } from '../helpers/http_receiver.ts';
import { sampleNotification } from '../helpers/notification.ts';

const page = readFileSync(resolve(import.meta.dirname, '../../docs/notifiers.md'), 'utf8');
const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map((match) => match[1] ?? '');
const examples = blocks('yaml').map((text) => parse(text));

test('every example of the page is what the agent takes, and there is one of each format', () => {
  const configured = examples.filter(({ alerts }) => alerts).map(({ alerts }) => alertsField.parse(alerts));
  const formats = configured.flatMap(({ notifiers }) =>
    notifiers.flatMap((notifier) => (notifier.type === 'webhook' ? [notifier.format] : [])),
  );
  assert.deepEqual([...new Set(formats)].sort(), [...webhookFormats].sort());
  const sent = examples.filter(({ alerts }) => !alerts);
  assert.ok(sent.length > 0);
  for (const { name, ...settings } of sent)
    if (settings.keep) replaceNotifier.parse(settings);
    else newNotifier.parse({ name, ...settings });
});

test('the template of the page makes JSON', () => {
  const [template] = examples
    .flatMap(({ alerts }) => alerts?.notifiers ?? [])
    .flatMap(({ body }) => body ?? []);
  assert.equal(
    JSON.parse(renderTemplate(template, sampleNotification())).text,
    'firing: Service web has failed\nService web has failed\n> listening\n> Error: no database\n',
  );
});

/** A request as a webhook with a secret sends it. */
async function signedRequest(): Promise<ReceivedRequest> {
  await using receiver = await startHttpReceiver();
  const definition = newNotifier.parse({ name: 'own', type: 'webhook', url: receiver.url, secret: 'kéy' });
  const notifier = makeNotifier(definition, { run: async () => assert.fail(), guard: null });
  await notifier.deliver(sampleNotification({ title: 'a 中 title' }), new AbortController().signal);
  return receiver.request(1);
}

test('the check of the signature in JavaScript does what the page says', async () => {
  const [code = ''] = blocks('js');
  const file = join(await mkdtemp(join(tmpdir(), 'davit-docs-')), 'check.mjs');
  await writeFile(file, code);
  const { isFromDavit } = await import(file);
  const { body, headers } = await signedRequest();
  assert.equal(isFromDavit(Buffer.from(body), headers, 'kéy'), true);
  assert.equal(isFromDavit(Buffer.from(body), headers, 'key'), false);
  assert.equal(isFromDavit(Buffer.from(`${body} `), headers, 'kéy'), false);
  assert.equal(isFromDavit(Buffer.from(body), headers, 'kéy', Date.now() + 600_000), false);
  assert.equal(isFromDavit(Buffer.from(body), {}, 'kéy'), false);
});

const hasPython = spawnSync('python3', ['--version']).status === 0;
test('the check of the signature in Python does what the page says', {
  skip: !hasPython && 'python3 is not installed',
}, async () => {
  const { body, headers } = await signedRequest();
  const given = {
    'X-Davit-Timestamp': headers['x-davit-timestamp'],
    'X-Davit-Signature': headers['x-davit-signature'],
  };
  const script = [
    ...blocks('python'),
    'import json, sys',
    'r = json.load(sys.stdin)',
    'b, h = r["body"].encode(), r["headers"]',
    'print(is_from_davit(b, h, "kéy"), is_from_davit(b, h, "key"), is_from_davit(b + b" ", h, "kéy"), is_from_davit(b, h, "kéy", 1), is_from_davit(b, {}, "kéy"))',
  ].join('\n');
  const input = JSON.stringify({ body, headers: given });
  const { stdout, stderr } = spawnSync('python3', ['-c', script], { input, encoding: 'utf8' });
  assert.equal(stdout.trim(), 'True False False False False', stderr);
});
