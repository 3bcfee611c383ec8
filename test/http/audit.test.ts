import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import express from 'express';
import { type AuditRecord, auditRecord } from '../../src/contract/audit.ts';
import type { ErrorCode } from '../../src/contract/error_codes.ts';
import { auditPart, createRequestAudit } from '../../src/http/audit.ts';
import { createNetworks } from '../../src/http/networks.ts';
import { DavitError } from '../../src/lib/errors.ts';
import { startApp } from '../helpers/app.ts';
import { until } from '../helpers/system.ts';

/** Answers as the header X-Answer says: with an error code, or well; X-Actor is who calls. */
async function start() {
  const records: AuditRecord[] = [];
  const audit = createRequestAudit((record) => records.push(auditRecord.parse(record)));
  const app = await startApp((server) => {
    server.use(audit.watch, createNetworks({ allowed_networks: [], trusted_proxies: ['127.0.0.1'] }).check);
    server.use(express.json(), (request, response, next) => {
      const actor = request.get('X-Actor');
      const code = request.get('X-Answer');
      Object.assign(response.locals, {
        request_id: 'r1',
        operation: 'deployService',
        service: request.get('X-Service'),
      });
      if (actor) response.locals['principal'] = { actor, name: 'x', grants: [], expires_at: null };
      if (code === 'never') return;
      next(code === undefined ? undefined : new DavitError(code as ErrorCode, 'no'));
    });
    server.post('/batch', (_request, response, next) => {
      auditPart(response, { action: 'stopService', service: 'a', http_status: 200, code: null });
      auditPart(response, {
        action: 'stopService',
        service: 'b',
        http_status: 404,
        code: 'service_not_found',
      });
      next();
    });
  });
  return { ...app, audit, records };
}

const known = { 'x-actor': 'key:a', 'x-service': 'web' };

test('every call that changes something is noted: who, from where, what, on which service, with what outcome', async () => {
  await using app = await start();
  await app.send('POST', '/', known);
  await app.send('DELETE', '/', {
    ...known,
    'x-answer': 'service_not_found',
    'x-forwarded-for': '192.0.2.1',
  });
  await until('both are noted', () => app.records.length === 2);
  const [first, second] = app.records;
  assert.ok(first && Math.abs(Date.parse(first.time) - Date.now()) < 10_000);
  const expected = {
    time: first.time,
    request_id: 'r1',
    actor: 'key:a',
    actor_name: 'x',
    address: '127.0.0.1',
    action: 'deployService',
    service: 'web',
    http_status: 200,
    code: null,
    trace_id: null,
  };
  assert.deepEqual(first, expected);
  assert.deepEqual(
    { ...second, time: first.time },
    { ...expected, address: '192.0.2.1', http_status: 404, code: 'service_not_found' },
  );
});

test('reading is not noted, unless it is refused', async () => {
  await using app = await start();
  await app.send('GET', '/', known);
  await app.send('HEAD', '/', known);
  await app.send('GET', '/', { ...known, 'x-answer': 'service_not_found' });
  for (const answer of ['unauthenticated', 'forbidden', 'host_not_allowed', 'too_many_requests']) {
    await app.send('GET', '/', { ...known, 'x-answer': answer });
  }
  await until('the refusals are noted', () => app.records.length >= 4);
  assert.deepEqual(
    app.records.map(({ http_status, code }) => [http_status, code]),
    [
      [401, 'unauthenticated'],
      [403, 'forbidden'],
      [403, 'host_not_allowed'],
      [429, 'too_many_requests'],
    ],
  );
});

test('of the refusals of one address, only the first of a minute are noted, and the number of the others', async () => {
  await using app = await start();
  const refused = { 'x-answer': 'unauthenticated', 'x-forwarded-for': '192.0.2.1' };
  for (let sent = 0; sent < 30; sent++) await app.send('POST', '/', refused);
  await app.send('POST', '/', { ...refused, 'x-forwarded-for': '192.0.2.2' });
  await app.send('POST', '/', { ...known, 'x-forwarded-for': '192.0.2.1' });
  await until('they are noted', () => app.records.length >= 22);
  app.audit.close();
  assert.equal(app.records.length, 23);
  const summary = app.records.at(-1);
  assert.equal(summary?.action, 'and 10 more refused like this');
  assert.equal(summary?.address, '192.0.2.1');
  assert.equal(summary?.actor, null);
  assert.equal(summary?.http_status, 401);
  app.audit.close();
  assert.equal(app.records.length, 23);
});

test('the number of the others comes at the end of the minute, and a new minute begins', async (t) => {
  const records: AuditRecord[] = [];
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { watch } = createRequestAudit((record) => records.push(record));
  const refuse = (address: string) => {
    const response = {
      locals: { address },
      statusCode: 401,
      writableEnded: true,
      once: (_event: string, listener: () => void) => listener(),
    };
    void watch({ method: 'GET' } as never, response as never, () => {});
  };
  for (let sent = 0; sent < 25; sent++) refuse('192.0.2.1');
  assert.equal(records.length, 20);
  t.mock.timers.tick(60_000);
  assert.equal(records.at(-1)?.action, 'and 5 more refused like this');
  refuse('192.0.2.1');
  assert.equal(records.length, 22);
  for (let address = 0; address < 5000; address++) refuse(`10.0.${address >> 8}.${address & 255}`);
  assert.equal(records.length, 521);
  t.mock.timers.tick(60_000);
  const omitted = records.slice(521).map(({ action }) => Number(/\d+/.exec(action)?.[0]));
  assert.equal(records.at(-1)?.address, 'others');
  assert.equal(
    omitted.reduce((sum, count) => sum + count, 0),
    4501,
  );
  assert.ok(omitted.length <= 1001);
});

test('a call whose caller hung up before the answer is noted as such, and nobody can flood the log that way', async () => {
  await using app = await start();
  const hangUp = async (headers: string) => {
    const socket = connect(app.port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(`POST / HTTP/1.1\r\nHost: x\r\nX-Answer: never\r\n${headers}Content-Length: 0\r\n\r\n`);
    setImmediate(() => socket.destroy());
    await once(socket, 'close');
  };
  const noted = () => app.records.filter(({ http_status }) => http_status === 499).length;
  await hangUp('X-Actor: key:a\r\n');
  await until('it is noted', () => noted() === 1);
  assert.equal(app.records[0]?.actor, 'key:a');
  for (let sent = 0; sent < 30; sent++) await hangUp('');
  await until('the others are bounded', () => noted() >= 21);
  assert.equal(noted(), 21);
});

test('each part of a call that concerns several services is noted', async () => {
  await using app = await start();
  await app.send('POST', '/batch', known);
  await until('all are noted', () => app.records.length === 3);
  assert.deepEqual(
    app.records.map(({ action, service, http_status, actor }) => [action, service, http_status, actor]),
    [
      ['stopService', 'a', 200, 'key:a'],
      ['stopService', 'b', 404, 'key:a'],
      ['deployService', 'web', 200, 'key:a'],
    ],
  );
});

test('nothing that a request says is noted, and no name that is no service id', async () => {
  await using app = await start();
  const secret = 'correct-horse-battery';
  await app.send('POST', `/${secret}?token=${secret}`, {
    ...known,
    authorization: `Bearer ${secret}`,
    'x-api-key': secret,
    'x-service': `../${secret}`,
    'idempotency-key': secret,
  });
  await until('it is noted', () => app.records.length === 1);
  assert.equal(app.records[0]?.service, null);
  assert.ok(!JSON.stringify(app.records).includes(secret));
});
