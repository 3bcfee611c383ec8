import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Routing, routing } from '../../src/contract/balancing.ts';
import type { TableService } from '../../src/contract/routing_table.ts';
import { Selection } from '../../src/routing/selection.ts';
import { compilePolicy, takesRelease } from '../../src/routing/service_policy.ts';
import type { Candidate } from '../../src/routing/strategies/strategy.ts';
import { candidate, factsOf, pool, type RequestParts, randomFrom } from './requests.ts';

const key = 'ab'.repeat(32);

interface Setting {
  readonly routing?: object;
  readonly shares?: TableService['shares'];
}

function policyOf({ routing: own = {}, shares = null }: Setting) {
  return compilePolicy({
    id: 'web',
    routing: routing.parse(own) as Routing,
    hold: null,
    shares,
    instances: [],
  });
}

function selectionOf(setting: Setting, instances: readonly Candidate[], seed = 1): Selection {
  const selection = new Selection(policyOf(setting), { service: 'web', random: randomFrom(seed) });
  selection.update(policyOf(setting), instances, key);
  return selection;
}

/** Where a request goes, and its client with it. */
function place(
  selection: Selection,
  from: readonly Candidate[],
  request: RequestParts = {},
): Candidate | null {
  const facts = factsOf(request);
  return selection.kept(from, facts) ?? selection.choose(from, facts);
}

const clients = Array.from({ length: 2_000 }, (_, index) => ({
  client: `10.0.${index >> 8}.${index & 255}`,
}));
const [old, canary] = [pool(4), [candidate(1, { id: 'n-1', release: 2 })]];
const both = [...old, ...canary].sort((one, other) => one.number - other.number);
const shares = [
  { release: 1, weight: 90 },
  { release: 2, weight: 10 },
];

test('releases get the requests by their shares, however many instances they have', () => {
  const selection = selectionOf({ shares }, both);
  const news = clients.filter((client) => place(selection, both, client)?.release === 2).length;
  assert.ok(news > 150 && news < 250, `${news}`);
});

test('within a release the strategy holds', () => {
  const selection = selectionOf({ shares }, both);
  const counts = new Map<string, number>();
  for (const client of clients) {
    const { id = '' } = place(selection, both, client) ?? {};
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  const ofOld = old.map(({ id }) => counts.get(id) ?? 0);
  assert.ok(Math.max(...ofOld) - Math.min(...ofOld) <= 1, `${ofOld}`);
});

test('a release of which no instance is left leaves its share to the others', () => {
  const selection = selectionOf({ shares }, both);
  for (const client of clients.slice(0, 100)) {
    assert.equal(place(selection, old, client)?.release, 1);
    assert.equal(place(selection, canary, client)?.release, 2);
  }
});

test('a release without a share, or that is not named, gets nothing', () => {
  const policy = policyOf({ shares: [...shares, { release: 3, weight: 0 }] });
  assert.deepEqual(
    [1, 2, 3, 4].map((release) => takesRelease(policy, release)),
    [true, true, false, false],
  );
  assert.equal(takesRelease(policyOf({}), 4), true);
});

for (const by of ['address', 'header'] as const) {
  const asks = clients.map(({ client }) =>
    by === 'address' ? { client } : { headers: { 'x-session': client } },
  );
  const setting = { routing: { affinity: { by, name: 'X-Session' } } };

  test(`by ${by}, a client stays with its instance when others come and go`, () => {
    const few = pool(3);
    const selection = selectionOf(setting, few);
    const before = asks.map((ask) => place(selection, few, ask)?.id);
    assert.equal(new Set(before).size, 3);
    const many = pool(9);
    selection.update(policyOf(setting), many, key);
    assert.deepEqual(
      asks.map((ask) => place(selection, many, ask)?.id),
      before,
    );
    const without = many.filter(({ number }) => number !== 2);
    selection.update(policyOf(setting), without, key);
    asks.forEach((ask, index) => {
      const now = place(selection, without, ask)?.id;
      if (before[index] === 'i-2') assert.notEqual(now, 'i-2');
      else assert.equal(now, before[index]);
    });
  });

  test(`by ${by}, routers that do not know each other come to the same`, () => {
    const from = pool(6);
    const [one, other] = [selectionOf(setting, from, 1), selectionOf(setting, from, 99)];
    for (const ask of asks.slice(0, 200))
      assert.equal(place(one, from, ask)?.id, place(other, from, ask)?.id);
  });

  test(`by ${by}, the release of a client is always the same one, in all routers`, () => {
    const [one, other] = [
      selectionOf({ ...setting, shares }, both, 1),
      selectionOf({ ...setting, shares }, both, 99),
    ];
    let news = 0;
    for (const ask of asks) {
      const release = place(one, both, ask)?.release;
      assert.equal(place(other, both, ask)?.release, release);
      if (release === 2) news++;
    }
    assert.ok(news > 150 && news < 250, `${news}`);
  });

  test(`by ${by}, a client whose instance takes nothing for now is kept with the one that it got instead`, () => {
    const from = pool(5);
    const selection = selectionOf(setting, from);
    const [ask = {}] = asks;
    const first = place(selection, from, ask);
    const second = place(
      selection,
      from.filter((each) => each !== first),
      ask,
    );
    assert.notEqual(second, first);
    assert.equal(place(selection, from, ask), second);
  });
}

test('by header, a request without it goes by the strategy', () => {
  const from = pool(3);
  const selection = selectionOf({ routing: { affinity: { by: 'header', name: 'X-Session' } } }, from);
  assert.deepEqual(
    [1, 2, 3, 4].map(() => place(selection, from)?.number),
    [1, 2, 3, 1],
  );
});

const byCookie = { routing: { affinity: { by: 'cookie' } } };
const cookieOf = (selection: Selection, id: string) => ({
  headers: { cookie: selection.cookieFor(id, false)?.split(';')[0] ?? '' },
});

test('by cookie, a client stays with its instance whatever comes and goes', () => {
  const few = pool(2);
  const selection = selectionOf(byCookie, few);
  const ask = cookieOf(selection, 'i-2');
  selection.update(policyOf({ ...byCookie, shares }), both, key);
  for (let turn = 0; turn < 50; turn++) assert.equal(place(selection, both, ask)?.id, 'i-2');
  assert.notEqual(
    place(
      selection,
      both.filter(({ id }) => id !== 'i-2'),
      ask,
    ),
    null,
  );
});

test('by cookie, a client without one goes by the strategy', () => {
  const from = pool(3);
  const selection = selectionOf(byCookie, from);
  assert.deepEqual(
    [1, 2, 3, 4].map(() => place(selection, from)?.number),
    [1, 2, 3, 1],
  );
});

test('where clients are not kept by a cookie, none is set', () => {
  assert.equal(selectionOf({}, pool(1)).cookieFor('i-1', false), null);
  assert.equal(
    selectionOf({ routing: { affinity: { by: 'address' } } }, pool(1)).cookieFor('i-1', false),
    null,
  );
});

test('with another key or another name, cookies lead nowhere any more', () => {
  const selection = selectionOf(byCookie, pool(1));
  const ask = cookieOf(selection, 'i-1');
  assert.notEqual(selection.kept(pool(1), factsOf(ask)), null);
  selection.update(policyOf(byCookie), pool(1), 'cd'.repeat(32));
  assert.equal(selection.kept(pool(1), factsOf(ask)), null);
  selection.update(policyOf({ routing: { affinity: { by: 'cookie', name: 'other' } } }), pool(1), key);
  assert.equal(selection.kept(pool(1), factsOf(ask)), null);
  selection.update(policyOf({}), pool(1), key);
  assert.equal(selection.kept(pool(1), factsOf(ask)), null);
});

const tagged = both.map((each) => ({
  ...each,
  tags: new Set([`release:${each.release}`, `instance:${each.number}`]),
}));
const asking = (tags: string) => ({ headers: { 'x-davit-tag': tags } });

test('a request that asks for a release by its tag gets it, whatever the shares', () => {
  const selection = selectionOf({ routing: { strategy: 'tag_match' }, shares }, tagged);
  for (let turn = 0; turn < 50; turn++) {
    assert.equal(place(selection, tagged, asking('release:2'))?.release, 2);
    assert.equal(place(selection, tagged, asking('release:1,instance:3'))?.id, 'i-3');
    assert.equal(place(selection, tagged, asking('release:3')), null);
  }
});

test('a client that asks for a tag is not kept with an instance that does not have it', () => {
  const selection = selectionOf({ routing: { strategy: 'tag_match', affinity: { by: 'address' } } }, tagged);
  for (const number of [1, 2, 3, 4])
    assert.equal(place(selection, tagged, asking(`instance:${number}`))?.number, number);
});

test('what a service is set to holds from the next request on', () => {
  const from = pool(9);
  const hashed = (source: string) => ({ routing: { strategy: 'consistent_hash', hash_by: { source } } });
  const selection = selectionOf(hashed('path'), from);
  const places = () => new Set(clients.slice(0, 50).map((client) => place(selection, from, client)?.id)).size;
  assert.equal(places(), 1);
  selection.update(policyOf(hashed('address')), from, key);
  assert.ok(places() > 5);
});

test('the release of a client does not depend on the order of the instances', () => {
  const setting = { routing: { affinity: { by: 'address' } }, shares };
  const reversed = [...canary, ...old];
  for (const client of clients.slice(0, 200)) {
    const [one, other] = [selectionOf(setting, both), selectionOf(setting, both)];
    assert.equal(place(one, both, client)?.release, place(other, reversed, client)?.release);
  }
});

test('whose turn it is survives a change of the service', () => {
  const from = pool(4);
  const selection = selectionOf({}, from);
  place(selection, from);
  selection.update(policyOf({ routing: { strategy: 'least_connections' } }), from, key);
  assert.equal(place(selection, from)?.number, 2);
});
