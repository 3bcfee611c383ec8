import assert from 'node:assert/strict';
import { test } from 'node:test';
import { World } from './world.ts';

const ids = ['a', 'b', 'c', 'd', 'e'];

test('what is over at the same moment is given page by page, each once, whatever is over meanwhile', async (context) => {
  const world = new World(context);
  for (const id of [...ids, 'late']) world.create(id);
  await world.begin();
  for (const id of ids) world.fail(id, `${id} has failed`);
  await world.pass(500);
  for (const id of ids) world.mend(id);
  await world.pass(500);
  const page = (before?: string) => world.alerts.view.history({ limit: 2, maySee: () => true }, before);
  const first = page();
  world.fail('late', 'late has failed');
  await world.pass(500);
  world.mend('late');
  await world.pass(500);
  const second = page(first.next ?? '');
  const third = page(second.next ?? '');
  const services = [first, second, third].flatMap(({ alerts }) => alerts.map(({ service }) => service));
  assert.deepEqual(services.toSorted(), ids);
  assert.equal(third.next, null);
  const [newest] = page().alerts;
  assert.equal(newest?.service, 'late');
  const none = world.alerts.view.history({ limit: 2, service: 'a', maySee: () => false });
  assert.deepEqual(none, { alerts: [], next: null });
});
