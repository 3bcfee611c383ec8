import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { createRequestMeter } from '../../src/http/request_meter.ts';
import { DavitError } from '../../src/lib/errors.ts';
import type { EndedCall } from '../../src/metrics/exposition/operation_counts.ts';
import { startApp } from '../helpers/app.ts';
import { until } from '../helpers/system.ts';

/** A server whose calls are noted once they have ended. */
async function metered() {
  const calls: EndedCall[] = [];
  const app = await startApp((express) => {
    express.use(createRequestMeter((call) => calls.push(call)));
    express.use((_request, response, next) => {
      response.locals['operation'] = 'someOperation';
      next();
    });
    express.get('/refused', () => {
      throw new DavitError('forbidden', 'no');
    });
    express.get('/stream', (_request, response) => {
      response.type('text/event-stream').write(': here\n\n');
    });
    express.get('/never', () => {});
  });
  return { app, calls };
}

/** Sends a request and hangs up once `when` says so. */
async function hangUp(
  port: number,
  path: string,
  when: (socket: ReturnType<typeof connect>) => Promise<unknown>,
) {
  const socket = connect(port, '127.0.0.1');
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await when(socket);
  socket.destroy();
}

test('a call is told of when it has ended, with its operation, its status and how long it took', async () => {
  const { app, calls } = await metered();
  await using _ = app;
  await app.send('GET', '/');
  await app.send('GET', '/refused');
  await until('both are told', () => calls.length === 2);
  assert.deepEqual(
    calls.map(({ operation, status }) => [operation, status]),
    [
      ['someOperation', 200],
      ['someOperation', 403],
    ],
  );
  assert.ok(calls.every(({ seconds }) => seconds !== null && seconds >= 0));
});

test('whoever follows a stream ends it by hanging up: it has succeeded, and has no duration', async () => {
  const { app, calls } = await metered();
  await using _ = app;
  await hangUp(app.port, '/stream', (socket) => once(socket, 'data'));
  await until('it is told', () => calls.length === 1);
  assert.deepEqual([calls[0]?.status, calls[0]?.seconds], [200, null]);
});

test('whoever hangs up before the answer is told apart', async () => {
  const { app, calls } = await metered();
  await using _ = app;
  await hangUp(app.port, '/never', (socket) => once(socket, 'connect'));
  await until('it is told', () => calls.length === 1);
  assert.equal(calls[0]?.status, 499);
});
