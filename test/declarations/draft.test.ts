import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spec } from '../../src/contract/spec.ts';
import {
  type Declaration,
  Draft,
  type DraftOptions,
  type Surroundings,
} from '../../src/declarations/draft.ts';
import type { DavitError } from '../../src/lib/errors.ts';

const nothing: Surroundings = { specOf: () => null, others: new Map(), mayName: () => true };

function read(source: string, around: Partial<Surroundings> = {}, options: DraftOptions = {}): Declaration {
  return new Draft(source, 'davit.yaml', options).resolve({ ...nothing, ...around });
}

/** Every complaint as a compiler would print it. */
function complaints(
  source: string,
  around: Partial<Surroundings> = {},
  options: DraftOptions = {},
): string[] {
  try {
    read(source, around, options);
  } catch (error) {
    return (error as DavitError).details.map(
      ({ path, message, line, column }) => `${line}:${column}: ${path}: ${message}`,
    );
  }
  return [];
}

const registered = (fields: object) => spec.parse({ command: 'x', ...fields });

test('services are read with every default filled in', () => {
  const { name, services } = read(`
    services:
      web: {command: node server.js, instances: 2}
      db:
        command: [postgres, -D, /data]
  `);
  assert.equal(name, 'davit');
  assert.deepEqual(
    [...services],
    [
      ['web', spec.parse({ command: 'node server.js', instances: 2 })],
      ['db', spec.parse({ command: ['postgres', '-D', '/data'] })],
    ],
  );
});

test('JSON is read as well', () => {
  const { services } = read(JSON.stringify({ name: 'shop', services: { web: { command: 'x' } } }));
  assert.deepEqual([...services.keys()], ['web']);
});

test('defaults are under the fields of each service, key by key', () => {
  const { services } = read(`
    name: shop
    defaults: {command: run, user: www, env: {A: "1", B: "2"}, stop: {timeout: 9s}}
    services:
      web: {env: {B: "3"}, stop: {signal: SIGINT}}
      bare: {env: {A: null}, user: null}
  `);
  const web = services.get('web');
  assert.deepEqual(web?.env, { A: '1', B: '3' });
  assert.deepEqual(web?.stop, { signal: 'SIGINT', timeout: '9s' });
  assert.equal(web?.user, 'www');
  assert.deepEqual(services.get('bare')?.env, { B: '2' });
  assert.equal(services.get('bare')?.user, null);
});

test('a probe of a service replaces that of the defaults as it stands', () => {
  const { services } = read(`
    defaults: {command: x, port: 80, readiness: {type: http, path: /up}}
    services:
      web: {readiness: {type: tcp}}
  `);
  assert.equal(services.get('web')?.readiness?.type, 'tcp');
});

test('keys that begin with x- are for anchors', () => {
  const { services } = read(`
x-common: &common
  command: run
  env: {A: "1"}
services:
  web:
    <<: *common
    user: www
  worker: *common
`);
  assert.equal(services.get('web')?.command, 'run');
  assert.deepEqual(services.get('worker')?.env, { A: '1' });
});

test('everything that is wrong is told at once, in the order of the file, with what was meant', () => {
  const source = `name: Shop
defualts: {}
services:
  web:
    comand: node server.js
    instances: many
    env:
      PORT: 3000
    stop:
      timeout: 5
    readiness: {type: http, port: 80, pth: /}
    depends_on: {dbb: healthy}
  db:
    command: [postgres, 1]
    logs: {max_sise: 1GB}
  WEB: {command: x}
`;
  assert.deepEqual(complaints(source), [
    '1:7: name: must be 1 to 63 characters of a-z, 0-9, dot, underscore and hyphen, and start with a letter or digit',
    '2:1: defualts: is not known; did you mean "defaults"?',
    '4:3: services.web.command: is missing',
    '5:5: services.web.comand: is not known; did you mean "command"?',
    '6:16: services.web.instances: must be a number',
    '8:13: services.web.env.PORT: must be a string: write it in quotes',
    '10:16: services.web.stop.timeout: must be a duration with a unit, such as 500ms, 5s or 2m',
    '11:39: services.web.readiness.pth: is not known; did you mean "path"?',
    '12:18: services.web.depends_on.dbb: there is no service "dbb"; did you mean "db"?',
    '14:25: services.db.command[1]: must be a string: write it in quotes',
    '15:12: services.db.logs.max_sise: is not known; did you mean "max_size"?',
    '16:3: services.WEB: its name must be 1 to 63 characters of a-z, 0-9, dot, underscore and hyphen, and start with a letter or digit',
  ]);
});

test('the sentence names the first place, and how many more there are', () => {
  assert.throws(
    () => read('services:\n  web: {comand: x}\n'),
    (error: DavitError) => {
      assert.equal(error.code, 'invalid_request');
      assert.equal(error.message, 'davit.yaml:2:3: services.web.command: is missing (and 1 more)');
      return true;
    },
  );
});

test('what is wrong in the defaults is told once, at its place', () => {
  assert.deepEqual(
    complaints('defaults:\n  usr: a\n  cwd: here\nservices:\n  a: {command: x}\n  b: {command: x}\n'),
    ['2:3: defaults.usr: is not known; did you mean "user"?', '3:8: defaults.cwd: must be an absolute path'],
  );
});

test('what only does not fit a service is told at its place in the defaults', () => {
  const source = 'defaults:\n  restart: {policy: always}\nservices:\n  a: {command: x, type: task}\n';
  assert.deepEqual(complaints(source), [
    '2:21: services.a.restart.policy: must be on_failure or never for a task: it is to end',
  ]);
});

test('*** keeps the value that there is', () => {
  const specOf = (id: string) => (id === 'web' ? registered({ env: { KEY: 'secret' } }) : null);
  const { services } = read('services: {web: {command: x, env: {KEY: "***"}}}', { specOf });
  assert.deepEqual(services.get('web')?.env, { KEY: 'secret' });
});

test('*** where there is nothing to keep is refused', () => {
  const specOf = (id: string) => (id === 'web' ? registered({}) : null);
  assert.deepEqual(
    complaints(
      'services:\n  web: {command: x, env: {KEY: "***"}}\n  new: {command: x, env: {KEY: "***"}}\n',
      {
        specOf,
      },
    ),
    [
      '2:32: services.web.env.KEY: "***" keeps the value that there is, and "web" has no KEY yet; give the value',
      '3:32: services.new.env.KEY: "***" keeps the value that there is, and there is no service "new" yet; give the value',
    ],
  );
});

test('a word that is one of several is told with the one that was meant', () => {
  assert.deepEqual(complaints('services:\n  web: {command: x, restart: {policy: on-failure}}\n'), [
    '2:39: services.web.restart.policy: must be one of "always"|"on_failure"|"never"; did you mean "on_failure"?',
  ]);
});

test('a value is never repeated: it may be a secret', () => {
  const [complaint = ''] = complaints('services:\n  web: {command: x, env: {KEY: [hunter2]}}\n');
  assert.match(complaint, /services\.web\.env\.KEY: must be a string/);
  assert.doesNotMatch(complaint, /hunter2/);
});

test('a way round is told, also through a service that is registered', () => {
  const others = new Map([['cache', registered({ depends_on: { api: 'started' } })]]);
  assert.deepEqual(
    complaints('services:\n  api:\n    command: x\n    depends_on:\n      cache: started\n', { others }),
    ['5:7: services.api.depends_on.cache: depends on itself: api → cache → api'],
  );
});

test('dependencies may be on services that are registered and not in the file', () => {
  const others = new Map([['db', registered({ readiness: { type: 'tcp', port: 5432 } })]]);
  assert.deepEqual(complaints('services: {api: {command: x, depends_on: {db: healthy}}}', { others }), []);
});

test('two services with the same port are refused, also where their instances take it', () => {
  assert.deepEqual(
    complaints(
      'services:\n  a: {command: x, port: 3000, instances: 3}\n  b: {command: x, port: 3003}\n  c: {command: x, port: 3002}\n',
    ),
    ['4:25: services.c.port: takes port 3002, which "a" takes too'],
  );
});

test('a service that is nothing is refused', () => {
  assert.deepEqual(complaints('services:\n  web:\n  db: {command: x}\n'), [
    '2:7: services.web: must be a service, such as "{command: node server.js}"',
  ]);
});

for (const source of ['', '[]', 'services', '42']) {
  test(`"${source}" declares nothing`, () => {
    assert.match(complaints(source)[0] ?? '', /must hold services/);
  });
}

test('a file without services is refused', () => {
  assert.deepEqual(complaints('name: shop\n'), ['1:1: services: is missing']);
});

test('a key that stands twice is refused with the place of the second', () => {
  assert.deepEqual(complaints('services:\n  web: {command: a}\n  web: {command: b}\n'), [
    '3:3: : "web" stands here twice',
  ]);
});

for (const [what, source, message] of [
  ['a tag', 'services: {web: !ruby/object:Gem {}}', /tags such as !this are not known here/],
  ['several documents', 'services: {}\n---\nservices: {}\n', /several documents/],
  ['a key that is no text', 'services: {[a, b]: {command: x}}', /a key must be text/],
  ['a text that is cut off', 'services: {web: {command: x', /must be|expected|end with/i],
] as const) {
  test(`${what} is refused with its place`, () => {
    const [complaint = ''] = complaints(source);
    assert.match(complaint, message);
    assert.match(complaint, /^[12]:\d+: /);
  });
}

test('aliases that stand for a heap of memory are refused', () => {
  const bomb = Array.from({ length: 9 }, (_, index) =>
    index === 0
      ? 'x-0: &a0 [x, x, x, x, x, x, x, x, x]'
      : `x-${index}: &a${index} [${Array(9)
          .fill(`*a${index - 1}`)
          .join(', ')}]`,
  );
  assert.match(complaints(`${bomb.join('\n')}\nservices: {}\n`)[0] ?? '', /aliases stand for too much/);
});

test('a text that is nested thousands of times is refused', () => {
  assert.match(complaints(`services: ${'['.repeat(50_000)}`)[0] ?? '', /is nested too deeply/);
});

test('of a file with thousands of mistakes a hundred are told', () => {
  const lines = Array.from({ length: 20_000 }, (_, index) => `      K${index}: 1\n`);
  assert.equal(complaints(`services:\n  web:\n    command: x\n    env:\n${lines.join('')}`).length, 100);
});

test('more services than there may be are told, and not looked at', () => {
  const lines = Array.from({ length: 1_001 }, (_, index) => `  s${index}: {comand: x}\n`);
  assert.deepEqual(complaints(`services:\n${lines.join('')}`), [
    '2:3: services: must not hold more than 1000 services',
  ]);
});

test('a file can be a single service', () => {
  const options: DraftOptions = {
    name: 'shop',
    single: { id: 'web', path: ['davit'], orFile: false },
    fields: { cwd: '/srv/web' },
  };
  const { name, services } = read('{"name": "web", "davit": {"command": "x"}}', {}, options);
  assert.equal(name, 'shop');
  assert.equal(services.get('web')?.cwd, '/srv/web');
  assert.deepEqual(complaints('{"davit":\n{"comand": "x"}}', {}, options), [
    '1:2: davit.command: is missing',
    '2:2: davit.comand: is not known; did you mean "command"?',
  ]);
});
