import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeCertificate } from '../helpers/server_certificates.ts';
import { until } from '../helpers/system.ts';
import { Forwarded, numbered, range } from './forwarded.ts';
import { missingRsyslog, missingRsyslogTls, Rsyslog } from './rsyslog.ts';

for (const framing of ['octet_counting', 'newline'] as const)
  test(`rsyslog understands all of a message, framed by ${framing}`, { skip: missingRsyslog }, async () => {
    await using rsyslog = await Rsyslog.start();
    await using forwarded = new Forwarded();
    forwarded.begin({
      ...{ name: 'central', type: 'syslog', address: `127.0.0.1:${rsyslog.port}` },
      ...{ framing, facility: 16 },
    });
    await forwarded.untilBegun();
    forwarded.write('web', 'ERROR: "paper]\\" é 🖨\n\u001b[31mred\n\n', { instance: 2, stream: 'stderr' });
    await until('all have come', () => rsyslog.messages.length === 3);
    const [error, red, empty] = rsyslog.messages;
    assert.equal(error?.priority, String(16 * 8 + 3));
    assert.match(error?.time ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|\+00:00)$/);
    assert.deepEqual([error?.app, error?.process, error?.id], ['web', '2', 'stderr']);
    assert.match(
      error?.data ?? '',
      /^\[davit@32473 service="web" release="1" instance="2" id="1\.stderr\.\d+" level="error"\]$/,
    );
    assert.equal(error?.text, 'ERROR: "paper]\\" é 🖨');
    assert.equal(red?.text, '#033[31mred');
    assert.equal(empty?.text, '');
  });

test('rsyslog misses nothing over its restart and its kill -9', { skip: missingRsyslog }, async () => {
  await using rsyslog = await Rsyslog.start();
  await using forwarded = new Forwarded();
  forwarded.begin({ name: 'central', type: 'syslog', address: `127.0.0.1:${rsyslog.port}` });
  await forwarded.untilBegun();
  let written = 0;
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    forwarded.write('web', numbered(written + 1, written + 2_000));
    await until('some have come', () => rsyslog.numbers.length > written);
    await rsyslog.end(signal);
    forwarded.write('web', numbered(written + 2_001, written + 4_000));
    written += 4_000;
    await rsyslog.up();
    await until('the last has come', () => rsyslog.numbers.includes(written));
  }
  const numbers = new Set(rsyslog.numbers);
  assert.deepEqual(
    range(1, written).filter((number) => !numbers.has(number)),
    [],
  );
});

test('rsyslog takes lines over TLS', { skip: missingRsyslogTls }, async () => {
  await using forwarded = new Forwarded();
  const own = makeCertificate(forwarded.folder, 'own', ['localhost']);
  await using rsyslog = await Rsyslog.start(own);
  forwarded.begin({
    ...{ name: 'central', type: 'syslog', address: `localhost:${rsyslog.port}` },
    ...{ tls: true, ca_file: own.cert_file },
  });
  await forwarded.untilBegun();
  forwarded.write('web', numbered(1, 1_000));
  await until('all have come', () => rsyslog.messages.length >= 1_000);
  assert.deepEqual([...new Set(rsyslog.numbers)], range(1, 1_000));
  const ids = rsyslog.messages.map(({ data }) => data);
  assert.equal(new Set(ids).size, 1_000);
});
