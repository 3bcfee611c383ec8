import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BatchOperation } from '../../src/contract/batch.ts';
import { batchOrder } from '../../src/deploy/batch_order.ts';

const known: Readonly<Record<string, readonly string[]>> = { api: ['db', 'cache'], web: ['api'] };

function before(items: readonly BatchOperation[], service: string): string[] {
  const order = batchOrder(items, (id) => known[id] ?? []);
  const item = items.find((each) => each.service === service);
  assert.ok(item);
  return order(item).map((each) => each.service);
}

const all = (operation: 'start' | 'stop' | 'delete' | 'pause') =>
  ['web', 'api', 'db', 'cache'].map((service): BatchOperation => ({ operation, service }));

test('a service starts after those that it depends on', () => {
  assert.deepEqual(before(all('start'), 'web'), ['api']);
  assert.deepEqual(before(all('start'), 'api'), ['db', 'cache']);
  assert.deepEqual(before(all('start'), 'db'), []);
});

test('a service ends before those that it depends on', () => {
  for (const operation of ['stop', 'delete'] as const) {
    assert.deepEqual(before(all(operation), 'db'), ['api']);
    assert.deepEqual(before(all(operation), 'api'), ['web']);
    assert.deepEqual(before(all(operation), 'web'), []);
  }
});

test('what neither starts nor ends a service waits for nothing', () => {
  assert.deepEqual(before(all('pause'), 'web'), []);
});

test('a start and an end do not wait for each other', () => {
  const items: BatchOperation[] = [
    { operation: 'start', service: 'web' },
    { operation: 'stop', service: 'api' },
  ];
  assert.deepEqual(before(items, 'web'), []);
  assert.deepEqual(before(items, 'api'), []);
});

test('a deploy that says what a new service depends on is heard', () => {
  const items: BatchOperation[] = [
    { operation: 'deploy', service: 'new', body: { command: 'x', depends_on: { other: 'started' } } },
    { operation: 'deploy', service: 'other', body: { command: 'x' } },
  ];
  assert.deepEqual(before(items, 'new'), ['other']);
});

test('a circle among new services keeps nobody waiting for ever', () => {
  const items: BatchOperation[] = ['a', 'b'].map((service) => ({
    operation: 'deploy',
    service,
    body: { command: 'x', depends_on: { [service === 'a' ? 'b' : 'a']: 'started' } },
  }));
  assert.deepEqual(before(items, 'a'), []);
});
