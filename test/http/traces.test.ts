import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { RequestHandler } from 'express';
import type { EventType } from '../../src/contract/events.ts';
import { Traces } from '../../src/http/traces.ts';
import { KeyedLock } from '../../src/lib/keyed_lock.ts';
import { EventLog } from '../../src/services/event_log.ts';
import { migrations } from '../../src/services/schema.ts';
import { startApp } from '../helpers/app.ts';

const idOf = (digit: string) => digit.repeat(32);
const traceparent = (digit: string) => `00-${idOf(digit)}-00f067aa0ba902b7-01`;

/** Runs work as a handler of a call with this `traceparent`. */
function call(traces: Traces, parent: string | undefined, work: () => unknown): Promise<unknown> {
  const handler = traces.within(((_request, _response, _next) => work()) as RequestHandler);
  const request = { get: () => parent };
  return Promise.resolve(handler(request as never, { locals: {} } as never, () => {}) as unknown);
}

test('what a call does is of its trace, across awaits, timers and several at a time', async () => {
  const traces = new Traces();
  const seen = await Promise.all(
    ['a', 'b', 'c'].map(async (digit) => {
      let later: string | null = null;
      await call(traces, traceparent(digit), async () => {
        assert.equal(traces.current, idOf(digit));
        await nextTurn();
        await new Promise((resolve) => setTimeout(resolve, 1));
        later = traces.current;
      });
      return later;
    }),
  );
  assert.deepEqual(seen, [idOf('a'), idOf('b'), idOf('c')]);
  assert.equal(traces.current, null);
});

test('a call that names no trace, or none that is valid, is of none, whoever made it', async () => {
  const traces = new Traces();
  for (const parent of [undefined, '', 'x', traceparent('0')])
    await call(traces, parent, () => assert.equal(traces.current, null));
  await call(traces, traceparent('a'), () =>
    call(traces, undefined, () => assert.equal(traces.current, null)),
  );
});

test('work that waits for its turn is of the trace of who asked for it, not of who was before it', async () => {
  const traces = new Traces();
  const lock = new KeyedLock();
  const gate = Promise.withResolvers<void>();
  const seen: (string | null)[] = [];
  const work = (digit: string | null) =>
    call(traces, digit === null ? undefined : traceparent(digit), () =>
      lock.run('web', async () => {
        if (seen.length === 0) await gate.promise;
        seen.push(traces.current);
      }),
    );
  const all = ['a', 'b', null, 'c'].map(work);
  await nextTurn();
  gate.resolve();
  await Promise.all(all);
  assert.deepEqual(seen, [idOf('a'), idOf('b'), null, idOf('c')]);
});

test('what outlives a call, such as a process that it started, is of its trace no more', async () => {
  const traces = new Traces();
  const process = new EventEmitter();
  let exited: (() => void) | undefined;
  const seen: (string | null)[] = [];
  await call(traces, traceparent('a'), async () => {
    const exit = Promise.withResolvers<void>();
    exited = exit.resolve;
    void exit.promise.then(() => seen.push(traces.current));
    process.on('exit', () => seen.push(traces.current));
    await nextTurn();
  });
  exited?.();
  process.emit('exit');
  await nextTurn();
  assert.deepEqual(seen, [null, null]);
});

test('a call that fails is over, and its error reaches who asked', async () => {
  const traces = new Traces();
  let later: (() => string | null) | undefined;
  await using app = await startApp((server) => {
    server.post(
      '/',
      traces.within(async () => {
        later = () => traces.current;
        throw new Error('no');
      }),
    );
  });
  const { status } = await app.send('POST', '/', { traceparent: traceparent('a') });
  assert.equal(status, 500);
  assert.equal(later?.(), null);
});

test('an event is of the trace in which it happens, and else of that of the deployment that caused it', () => {
  const database = new DatabaseSync(':memory:');
  for (const migration of migrations) database.exec(migration);
  let current: string | null = idOf('a');
  const events = new EventLog(database, assert.fail, () => current);
  const record = (cause: number | null, type: EventType = 'deployment.progressed') =>
    events.record({ type, message: 'x', cause });
  const first = record(null);
  assert.equal(first.trace_id, idOf('a'));
  current = null;
  // Before and after the cause is written.
  assert.equal(record(first.id).trace_id, idOf('a'));
  events.flush();
  const second = record(first.id);
  assert.equal(second.trace_id, idOf('a'));
  assert.equal(record(second.id).trace_id, idOf('a'));
  const start = record(second.id, 'service.started');
  assert.equal(start.trace_id, idOf('a'));
  assert.equal(record(start.id, 'service.exited').trace_id, null);
  assert.equal(record(null).trace_id, null);
  assert.equal(record(9_999).trace_id, null);
  current = idOf('b');
  assert.equal(record(first.id).trace_id, idOf('b'));
  events.flush();
  const kept = events.list({ limit: 10, visible: () => true }).map(({ trace_id }) => trace_id?.[0] ?? null);
  assert.deepEqual(kept, ['a', 'a', 'a', 'a', 'a', null, null, null, 'b']);
  database.close();
});
