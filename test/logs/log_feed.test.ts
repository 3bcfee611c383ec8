import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { test } from 'node:test';
import { until } from '../helpers/system.ts';
import { fromBegin, numbered, Stored, texts } from './stored.ts';

test('news of a service are told when a run begins, grows and ends', async () => {
  using stored = new Stored();
  const news: string[] = [];
  const ends = stored.store.feed.listen({
    onNews: (service) => news.push(service),
    onRemoval: async () => {},
    onRemoved: () => {},
  });
  const live = stored.begin(1, '');
  assert.deepEqual(news, ['web']);
  appendFileSync(stored.file('1.r1.i1.stdout'), 'one\n');
  await until('it is told', () => news.length === 2);
  await live.close();
  assert.equal(news.length, 3);
  ends();
  await stored.run(2, 'two\n');
  assert.equal(news.length, 3);
});

test('only that is given whose time is known, and the same time whenever it is read', async () => {
  using stored = new Stored();
  const { feed } = stored.store;
  stored.begin(1, '');
  appendFileSync(stored.file('1.r1.i1.stdout'), 'one\ntwo\n');
  assert.deepEqual((await feed.next('web', fromBegin)).lines, []);
  await until('the time is noted', async () => (await feed.next('web', fromBegin)).lines.length === 2);
  const [first] = (await feed.next('web', fromBegin)).lines;
  stored.restart();
  assert.deepEqual((await stored.store.feed.next('web', fromBegin)).lines[0], first);
});

test('nobody who begins at the end gets what was there before, also where its time is not known yet', async () => {
  using stored = new Stored();
  const { feed } = stored.store;
  stored.begin(1, 'before\n');
  const end = await feed.end('web');
  assert.deepEqual((await feed.next('web', end)).lines, []);
  appendFileSync(stored.file('1.r1.i1.stdout'), 'after\n');
  let [page, place] = [await feed.next('web', end), end];
  await until('more has come', async () => {
    place = page.place;
    page = await feed.next('web', place);
    return page.lines.length > 0;
  });
  assert.deepEqual(texts(page.lines), ['after']);
});

test('what is not kept any more counts as read at the begin', async () => {
  using stored = new Stored();
  for (let run = 1; run <= 3; run++) await stored.run(run, numbered(run, 1));
  stored.retention = { ...stored.retention, max_bytes: 1 };
  await stored.store.sweep();
  await stored.run(4, 'new\n');
  const { feed } = stored.store;
  const page = await feed.next('web', feed.begin('web'));
  assert.deepEqual([texts(page.lines), page.skipped], [['new'], null]);
  assert.notEqual((await feed.next('web', fromBegin)).skipped, null);
});

test('a service is removed only when everybody has taken leave of it', async () => {
  using stored = new Stored();
  await stored.run(1, 'one\n');
  const { feed } = stored.store;
  const seen: string[] = [];
  feed.listen({
    onNews: () => {},
    onRemoval: async (service) => {
      const { lines } = await feed.next(service, fromBegin);
      seen.push(...texts(lines));
    },
    onRemoved: (service) => seen.push(`${service} is gone`),
  });
  await stored.store.remove('web');
  assert.deepEqual(seen, ['one', 'web is gone']);
  assert.deepEqual(feed.services(), []);
});
