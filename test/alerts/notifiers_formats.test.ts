import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatOf } from '../../src/alerts/notifiers/formats.ts';
import { renderTemplate, templateProblem } from '../../src/alerts/notifiers/template.ts';
import type { Notification } from '../../src/contract/alerts.ts';
import { webhookFormats } from '../../src/contract/notifiers.ts';
import { sampleAlert, sampleNotification } from '../helpers/notification.ts';

type Format = (typeof webhookFormats)[number];

const now = Date.UTC(2026, 0, 31, 12, 0, 5);
const readyMade = webhookFormats.filter((format) => format !== 'template');

function messageOf(format: Format, notification: Notification, secret: string | null = null, body?: string) {
  const options = { format, body, content_type: 'application/json' };
  return formatOf(options).message(notification, { url: 'https://hooks.example.org/a?k=1', secret, now });
}

// biome-ignore lint/suspicious/noExplicitAny: a test reads whatever it expects
function bodyOf(format: Format, notification: Notification, secret: string | null = null): any {
  return JSON.parse(messageOf(format, notification, secret).body);
}

/** Everything that somebody may write into a log or a summary to break out of a format. */
const hostile = [
  '<!channel> <!here> <@U123> <https://evil.example|click> & &lt;',
  '@all @everyone <at user_id="all">x</at> <@all> <font color="warning">x</font>',
  '```\n*bold* _it_ ~s~ `code` [link](http://evil.example) ![i](http://evil.example) # head\n> quote\n- item',
  '"} , {"x": \\" \\u0000 {{title}} {{{title}}} %0a <script>alert(1)</script>',
  '\r\nBcc: evil@example.org\u2028\u2029\u001b[31m',
].join(' ');

const hostileNotification = sampleNotification({
  title: hostile,
  agent: { hostname: hostile, version: hostile, url: 'http://127.0.0.1:8888' },
  alerts: [sampleAlert({ summary: hostile, subject: hostile, why: [hostile], last_lines: [hostile] })],
});

/** As much of everything as the engine may give, and more. */
const hugeNotification = sampleNotification({
  title: '„中<&@*'.repeat(2_000),
  alerts: Array.from({ length: 200 }, (_, index) =>
    sampleAlert({
      id: `a-${index}`,
      summary: '中<&@*`'.repeat(500),
      why: Array.from({ length: 50 }, () => '<&>*中'.repeat(500)),
      last_lines: Array.from({ length: 100 }, () => '`<&>"\\\\中'.repeat(500)),
    }),
  ),
});

test('davit sends the notification itself, signed with the time', () => {
  const notification = sampleNotification();
  const { body, headers, url } = messageOf('davit', notification, 'key');
  assert.deepEqual(JSON.parse(body), notification);
  assert.equal(url, 'https://hooks.example.org/a?k=1');
  assert.equal(headers['x-davit-timestamp'], String(now / 1_000));
  const digest = createHmac('sha256', 'key')
    .update(`${now / 1_000}.${body}`)
    .digest('hex');
  assert.equal(headers['x-davit-signature'], `sha256=${digest}`);
  assert.equal(messageOf('davit', notification).headers['x-davit-signature'], undefined);
});

test('slack gets a title, facts, why and the last lines, the colour of the worst, and none of its limits is passed', () => {
  const { text, attachments } = bodyOf('slack', sampleNotification());
  assert.equal(text, 'Service web has failed');
  const [{ color, blocks }] = attachments;
  assert.equal(color, '#d32f2f');
  const shown = JSON.stringify(blocks);
  for (const part of ['Instance 2 exited with code 1', 'Error: no database', 'host-a', 'service: web'])
    assert.ok(shown.includes(part), part);
  const huge = bodyOf('slack', hugeNotification);
  assert.ok(huge.text.length <= 3_000);
  assert.ok(huge.attachments[0].blocks.length <= 50);
  for (const block of huge.attachments[0].blocks) {
    const most = block.type === 'header' ? 150 : 3_000;
    for (const each of [block.text, ...(block.elements ?? [])].filter(Boolean))
      assert.ok(each.text.length >= 1 && each.text.length <= most, `${block.type}: ${each.text.length}`);
  }
  assert.ok(JSON.stringify(huge).includes('and 190 more'));
});

test('slack is given no mention, link or end of a block by what services write', () => {
  const { text, attachments } = bodyOf('slack', hostileNotification);
  const texts: string[] = [text];
  for (const block of attachments[0].blocks)
    for (const each of [block.text, ...(block.elements ?? [])].filter(Boolean)) {
      texts.push(each.text);
      if (each.type === 'mrkdwn') assert.equal(each.text.split('```').length, 3, 'the code ends early');
    }
  for (const each of texts) assert.ok(!/[<>]/.test(each), each);
  for (const each of texts) assert.ok(!/&(?!amp;|lt;|gt;)/.test(each), each);
});

test('colours and signs that turn the direction of writing are left out', () => {
  const last_lines = ['\u001b[1;31mError\u001b[0m: \u202eevil\u2069\ta\u0007b'];
  const notification = sampleNotification({ alerts: [sampleAlert({ last_lines })] });
  for (const format of ['slack', 'feishu', 'wecom', 'alertmanager'] as const)
    assert.ok(messageOf(format, notification).body.includes('Error: evil a b'), format);
});

test('feishu gets a signed card of plain texts within 20 KB', () => {
  const { timestamp, sign, msg_type, card } = bodyOf('feishu', hostileNotification, 'key');
  assert.equal(timestamp, String(now / 1_000));
  assert.equal(sign, createHmac('sha256', `${timestamp}\nkey`).digest('base64'));
  assert.equal(msg_type, 'interactive');
  assert.equal(card.header.template, 'red');
  for (const { tag, text, elements } of card.elements)
    for (const each of tag === 'note' ? elements : [text]) assert.equal(each.tag, 'plain_text');
  assert.equal(bodyOf('feishu', sampleNotification()).sign, undefined);
  assert.ok(Buffer.byteLength(messageOf('feishu', hugeNotification, 'key').body) < 20_000);
});

test('the signature of feishu is that of its documents', () => {
  // HMAC-SHA256 of nothing with the key "1599360473, newline, demo", in base64, by another implementation (Python's hmac).
  const { sign } = JSON.parse(
    formatOf({ format: 'feishu', content_type: '' }).message(sampleNotification(), {
      url: 'https://x.example',
      secret: 'demo',
      now: 1_599_360_473_000,
    }).body,
  );
  assert.equal(sign, 'l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=');
});

test('dingtalk gets a signed address and Markdown within 20,000 bytes, and mentions nobody', () => {
  const { url, body } = messageOf('dingtalk', sampleNotification(), 'SECkey');
  const address = new URL(url);
  assert.equal(address.searchParams.get('k'), '1');
  assert.equal(address.searchParams.get('timestamp'), String(now));
  assert.equal(
    address.searchParams.get('sign'),
    createHmac('sha256', 'SECkey').update(`${now}\nSECkey`).digest('base64'),
  );
  const { msgtype, markdown, at } = JSON.parse(body);
  assert.equal(msgtype, 'markdown');
  assert.deepEqual(at, { atMobiles: [], atUserIds: [], isAtAll: false });
  assert.ok(markdown.text.includes('Error: no database'));
  const huge = messageOf('dingtalk', hugeNotification).body;
  assert.ok(Buffer.byteLength(huge) <= 20_000 && huge.includes('davit on host-a'));
  const { text } = bodyOf('dingtalk', hostileNotification).markdown;
  assert.ok(!/<|@(?!\u200b)|(?<!\\)[[\]`]|:\/\//.test(text), text);
});

test('wecom gets Markdown within 4,096 bytes, in which nothing of what services write has a meaning', () => {
  const { msgtype, markdown } = bodyOf('wecom', sampleNotification());
  assert.equal(msgtype, 'markdown');
  assert.ok(markdown.content.includes('> Error: no database'));
  assert.ok(Buffer.byteLength(bodyOf('wecom', hugeNotification).markdown.content) <= 4_096);
  const { content } = bodyOf('wecom', hostileNotification).markdown;
  assert.ok(!/<(?!\u200b)|@(?!\u200b)|\](?!\u200b)|`(?!\u200b)|:\/\//.test(content), content);
});

test('alertmanager gets each alert with labels that stay, and an end', () => {
  const over = sampleAlert({
    id: 'b',
    state: 'resolved',
    resolved_at: '2026-01-31T12:30:00.000Z',
    service: null,
    instance: null,
    subject: 'api.pem',
  });
  const { url, body } = messageOf('alertmanager', sampleNotification({ alerts: [sampleAlert(), over] }));
  assert.equal(new URL(url).pathname, '/a/api/v2/alerts');
  const [first, second] = JSON.parse(body);
  assert.deepEqual(first.labels, {
    alertname: 'service_failed',
    severity: 'critical',
    service: 'web',
    service_instance: '2',
    instance: 'host-a',
    job: 'davit',
  });
  assert.equal(first.annotations.why, 'Instance 2 exited with code 1\nInstance 2 was started');
  assert.equal(first.annotations.last_lines, 'listening\nError: no database');
  assert.equal(first.startsAt, '2026-01-31T12:00:00.000Z');
  assert.ok(Date.parse(first.endsAt) > now + 86_400_000);
  assert.equal(first.generatorURL, 'http://127.0.0.1:8888/api/v1/alerts/k3f9x2m7q1wz');
  assert.deepEqual([second.endsAt, second.labels.subject], ['2026-01-31T12:30:00.000Z', 'api.pem']);
});

test('receivers that answer 200 and complain in the body are heard', () => {
  const complaint = (format: Format, answer: string) =>
    formatOf({ format, content_type: '' }).complaint(answer);
  for (const [format, field] of [
    ['feishu', 'code'],
    ['feishu', 'StatusCode'],
    ['dingtalk', 'errcode'],
    ['wecom', 'errcode'],
  ] as const) {
    assert.equal(complaint(format, `{"${field}":0,"msg":"ok"}`), null);
    assert.equal(complaint(format, `{"${field}":19021,"msg":"sign match fail"}`)?.retry, false);
    assert.equal(complaint(format, '<html>')?.retry, false);
  }
  assert.equal(complaint('feishu', '{"code":11232}')?.retry, true);
  assert.equal(complaint('dingtalk', '{"errcode":130101}')?.retry, true);
  assert.equal(complaint('wecom', '{"errcode":45009}')?.retry, true);
  assert.equal(complaint('slack', 'ok'), null);
});

test('a template makes JSON of whatever stands in a notification', () => {
  const template =
    '{"text":"{{title}}","alerts":[{{#alerts}}{"what":"{{summary}}","lines":"{{#last_lines}}{{.}}\\n{{/last_lines}}"},{{/alerts}}null]}';
  assert.equal(JSON.parse(renderTemplate(template, hostileNotification)).text, hostile);
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const alerts = [sampleAlert({ summary: text, last_lines: [text, text] })];
      const parsed = JSON.parse(renderTemplate(template, sampleNotification({ title: text, alerts })));
      assert.equal(
        JSON.stringify(parsed.alerts[0]),
        JSON.stringify({ what: text, lines: `${text}\n${text}\n` }),
      );
    }),
  );
});

test('a template is signed, has its own type, and may hold the notification as JSON', () => {
  const options = { format: 'template', body: '{{{json}}}', content_type: 'text/plain' } as const;
  const { body, headers } = formatOf(options).message(sampleNotification(), {
    url: 'https://x.example',
    secret: 'k',
    now,
  });
  assert.deepEqual(JSON.parse(body), sampleNotification());
  assert.equal(headers['content-type'], 'text/plain');
  assert.match(headers['x-davit-signature'] ?? '', /^sha256=[0-9a-f]{64}$/);
});

test('a template sees what a notification holds, and nothing that objects inherit', () => {
  for (const name of [
    'constructor',
    'toString',
    'alerts.constructor.constructor',
    'title.length',
    '__proto__',
    'alerts.map',
  ])
    assert.equal(renderTemplate(`[{{${name}}}{{#${name}}}x{{/${name}}}]`, sampleNotification()), '[]', name);
  assert.equal(
    renderTemplate('{{alerts.0.rule}} {{group.key}} {{>partial}}{{nothing}}', sampleNotification()),
    'service_failed service_failed ',
  );
});

test('a template that multiplies itself is stopped', () => {
  const alerts = Array.from({ length: 100 }, () => sampleAlert());
  const nested = `${'{{#alerts}}'.repeat(6)}x${'{{/alerts}}'.repeat(6)}`;
  assert.throws(() => renderTemplate(nested, sampleNotification({ alerts })), /repeats too much/);
  const long = `{{#alerts}}${'x'.repeat(60_000)}{{/alerts}}`;
  assert.throws(() => renderTemplate(long, sampleNotification({ alerts })), /more than 1000000 characters/);
});

test('what is wrong with a template is said', () => {
  assert.match(templateProblem('{{#alerts}}') ?? '', /Unclosed section/);
  assert.match(templateProblem('{{title') ?? '', /Unclosed tag/);
  assert.equal(templateProblem('{{title}}'), null);
});

test('whatever stands in a notification, each format makes JSON of it', () => {
  const text = fc.string({ unit: 'binary' });
  fc.assert(
    fc.property(text, fc.array(text), fc.array(text), (title, why, last_lines) => {
      const alerts = [sampleAlert({ summary: title, why, last_lines })];
      for (const format of readyMade) bodyOf(format, sampleNotification({ title, alerts }), 'key');
    }),
    { numRuns: 50 },
  );
});
