import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { framed, syslogMessage } from '../../src/forwarding/syslog_message.ts';
import { line } from './sample_lines.ts';

const place = { host: 'shop-1', facility: 1 };

test('a line becomes a message of RFC 5424', () => {
  assert.equal(
    syslogMessage('web', line('ERROR: é', 12, { level: 'error', stream: 'stderr' }), place).toString(),
    '<11>1 2026-01-31T12:00:00.123Z shop-1 web 1 stderr ' +
      '[davit@32473 service="web" release="3" instance="1" id="1.stderr.12" level="error"] ERROR: é',
  );
});

test('the priority is made of the facility and the level; a line without one counts as info', () => {
  const priorities = (['trace', 'debug', 'info', 'warn', 'error', 'fatal', null] as const).map((level) => {
    const text = syslogMessage('web', line('x', 2, { level }), { ...place, facility: 16 }).toString();
    return Number(/^<(\d+)>1 /.exec(text)?.[1]) - 16 * 8;
  });
  assert.deepEqual(priorities, [7, 7, 6, 4, 3, 2, 6]);
});

test('a name that is too long is cut where the format wants it, and stands whole in the data', () => {
  const name = 's'.repeat(63);
  const text = syslogMessage(name, line('x', 2), place).toString();
  assert.match(text, new RegExp(` ${'s'.repeat(48)} 1 stdout \\[davit@32473 service="${name}"`));
});

test('a host whose name cannot be told is a hyphen', () => {
  assert.match(syslogMessage('web', line('x', 2), { ...place, host: 'ü ' }).toString(), /Z - web/);
});

test('control characters are shown, a tab stays', () => {
  const text = syslogMessage('web', line('a\u0000\r\u001b[31m\tb\u007f', 2), place).toString();
  assert.match(text, /\] a#000#015#033\[31m\tb#177$/);
});

test('a message that is too long is cut between two characters, and says so', () => {
  const message = syslogMessage('web', line('é'.repeat(10_000), 2), place);
  assert.ok(message.length <= 8_192 && message.length > 8_189, String(message.length));
  assert.match(message.toString(), / truncated="true"\] é+$/);
});

test('whatever a service writes, a receiver finds the messages again', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' })), fc.boolean(), (texts, counted) => {
      const messages = texts.map((text) => syslogMessage('web', line(text.replaceAll('\n', ''), 2), place));
      const stream = Buffer.concat(
        messages.map((message) => framed(message, counted ? 'octet_counting' : 'newline')),
      );
      assert.deepEqual(counted ? readCounted(stream) : readLines(stream), messages.map(String));
    }),
  );
});

/** As a receiver reads it, RFC 6587, section 3.4.1. */
function readCounted(stream: Buffer): string[] {
  const messages: string[] = [];
  for (let place = 0; place < stream.length; ) {
    const space = stream.indexOf(' ', place);
    const length = Number(stream.toString('latin1', place, space));
    messages.push(stream.toString('utf8', space + 1, space + 1 + length));
    place = space + 1 + length;
  }
  return messages;
}

function readLines(stream: Buffer): string[] {
  return stream.toString().split('\n').slice(0, -1);
}
