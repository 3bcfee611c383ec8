import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spec } from '../../src/contract/spec.ts';
import type { DavitError } from '../../src/lib/errors.ts';
import { checkReferences, type Links, requireReferences } from '../../src/supervision/references.ts';

const service = (fields: object = {}): Links => spec.parse({ command: 'x', ...fields });
const probed = { readiness: { type: 'tcp', port: 80 } };
const links = (all: Record<string, object>) =>
  new Map(Object.entries(all).map(([id, fields]) => [id, service(fields)]));

test('dependencies that can be met are fine', () => {
  const changed = links({
    api: { depends_on: { db: 'healthy', seed: 'completed', queue: 'log_ready', page: 'started' } },
    db: { liveness: { type: 'tcp', port: 80 } },
  });
  const others = links({ seed: { type: 'task' }, queue: { ready_log: 'up' }, page: {} });
  assert.deepEqual(checkReferences(changed, others), []);
});

test('a service that is nowhere is named, with the one that was meant', () => {
  assert.deepEqual(checkReferences(links({ api: { depends_on: { dbb: 'started' } }, db: {} }), new Map()), [
    { service: 'api', path: ['depends_on', 'dbb'], message: 'there is no service "dbb"; did you mean "db"?' },
  ]);
});

test('a service that may not be named is not what was meant', () => {
  const [problem] = checkReferences(
    links({ api: { depends_on: { dbb: 'started' } } }),
    links({ db: {} }),
    (id) => id !== 'db',
  );
  assert.equal(problem?.message, 'there is no service "dbb"');
});

for (const [condition, message] of [
  ['healthy', 'db has no probe: use started, or give it a readiness probe'],
  ['completed', 'db is no task: use started or healthy'],
  ['log_ready', 'db has no ready_log: use started, or give it one'],
] as const) {
  test(`a dependency that can never be ${condition} is refused`, () => {
    const [problem, ...more] = checkReferences(
      links({ api: { depends_on: { db: condition } } }),
      links({ db: {} }),
    );
    assert.equal(problem?.message, message);
    assert.deepEqual(more, []);
  });
}

test('a change that others could never wait for is refused where it is made', () => {
  const others = links({ api: { depends_on: { db: 'healthy' } }, db: probed });
  assert.deepEqual(checkReferences(links({ db: {} }), others), [
    {
      service: 'db',
      path: [],
      message: 'api depends on it (healthy), and it has no probe: use started, or give it a readiness probe',
    },
  ]);
});

test('what is wrong between others is not the business of a change', () => {
  const others = links({
    a: { depends_on: { b: 'started', gone: 'started' } },
    b: { depends_on: { a: 'started' } },
  });
  assert.deepEqual(checkReferences(links({ c: { depends_on: { a: 'started' } } }), others), []);
});

test('a way round is told from the service that is changed, also through others', () => {
  const others = links({ a: { depends_on: { b: 'started' } }, b: { depends_on: { c: 'started' } } });
  assert.deepEqual(checkReferences(links({ c: { depends_on: { a: 'started' } } }), others), [
    { service: 'c', path: ['depends_on', 'a'], message: 'depends on itself: c → a → b → c' },
  ]);
});

test('every way round is told', () => {
  const changed = links({
    a: { depends_on: { b: 'started', a: 'started' } },
    b: { depends_on: { a: 'started' } },
    c: { depends_on: { d: 'started' } },
    d: { depends_on: { c: 'started' } },
  });
  assert.deepEqual(
    checkReferences(changed, new Map()).map(({ message }) => message),
    ['depends on itself: a → a', 'depends on itself: a → b → a', 'depends on itself: c → d → c'],
  );
});

test('one service is refused with each place in the details', () => {
  const spec = service({ depends_on: { db: 'healthy', gone: 'started' } });
  assert.throws(
    () => requireReferences('api', spec, links({ db: {} })),
    ({ code, message, details }: DavitError) => {
      assert.equal(code, 'invalid_request');
      assert.match(message, /^depends_on\.db of "api": db has no probe.*\(and 1 more\)$/);
      assert.deepEqual(
        details.map(({ path }) => path),
        ['depends_on.db', 'depends_on.gone'],
      );
      return true;
    },
  );
  assert.doesNotThrow(() => requireReferences('api', service(), new Map()));
});
