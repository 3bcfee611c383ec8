import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  checkPlaceholders,
  fillIn,
  fillInCommand,
  numberPort,
  type PlaceholderValues,
} from '../../src/processes/placeholders.ts';

/** As the placeholder of this name is written. */
const hole = (name: string) => `\${${name}}`;
const values: PlaceholderValues = { PORT: 8080, INSTANCE: 2, SERVICE: 'web', RELEASE: 7 };
const withoutPort = { ...values, PORT: null };

for (const [text, filled] of [
  [`--port ${hole('PORT')}`, '--port 8080'],
  [`${hole('PORT')}${hole('PORT')}`, '80808080'],
  [`${hole('SERVICE')}-${hole('RELEASE')}.${hole('INSTANCE')}`, 'web-7.2'],
  [`$${hole('PORT')}`, hole('PORT')],
  [`$${hole('SERVICE')} is ${hole('SERVICE')}`, `${hole('SERVICE')} is web`],
  [`$$${hole('PORT')}`, `$${hole('PORT')}`],
  [hole('FILE'), hole('FILE')],
  [hole('HOME'), hole('HOME')],
  [`$${hole('HOME')}`, `$${hole('HOME')}`],
  [hole('port'), hole('port')],
  [hole(' PORT '), hole(' PORT ')],
  [hole('PORT:-80'), hole('PORT:-80')],
  [`\${${hole('PORT')}}`, hole('8080')],
  ['$PORT', '$PORT'],
  ['$$', '$$'],
  ['', ''],
] as const) {
  test(`"${text}" becomes "${filled}"`, () => {
    assert.equal(fillIn(text, values), filled);
  });
}

test('lists and objects are filled in however deep, and what is no text stays', () => {
  const probe = {
    type: 'http',
    path: `/${hole('SERVICE')}`,
    port: null,
    headers: { 'X-Port': hole('PORT') },
    command: ['check', hole('PORT'), ['a', hole('RELEASE')]],
    attempts: 3,
    on: true,
    none: undefined,
  };
  const before = structuredClone(probe);
  assert.deepEqual(fillIn(probe, values), {
    ...probe,
    path: '/web',
    headers: { 'X-Port': '8080' },
    command: ['check', '8080', ['a', '7']],
  });
  assert.deepEqual(probe, before);
});

test('keys are no texts, and a key may have any name', () => {
  const env = JSON.parse(`{"__proto__": "${hole('PORT')}", "${hole('PORT')}": "1"}`);
  assert.equal(JSON.stringify(fillIn(env, values)), `{"__proto__":"8080","${hole('PORT')}":"1"}`);
});

test('a value is not filled in again', () => {
  assert.equal(fillIn(hole('FILE'), { ...values, FILE: `/x/${hole('PORT')}` }), `/x/${hole('PORT')}`);
  assert.equal(fillIn(hole('FILE'), { ...values, FILE: '$&$1' }), '$&$1');
});

test('who asks for a port and has none is told so', () => {
  assert.throws(() => fillIn({ a: [`x ${hole('PORT')}`] }, withoutPort), {
    code: 'invalid_request',
    message: `"x ${hole('PORT')}" uses ${hole('PORT')}, but the service has no port`,
  });
  assert.equal(fillIn(`$${hole('PORT')}`, withoutPort), hole('PORT'));
  assert.equal(fillIn(hole('INSTANCE'), withoutPort), '2');
});

test('in a shell without a port it is a variable of the shell', () => {
  const command = `PORT=80; echo ${hole('PORT')} ${hole('SERVICE')}`;
  assert.equal(fillInCommand(command, withoutPort), `PORT=80; echo ${hole('PORT')} web`);
  assert.equal(fillInCommand(command, values), 'PORT=80; echo 8080 web');
  assert.throws(() => fillInCommand(['echo', hole('PORT')], withoutPort), { code: 'invalid_request' });
  assert.deepEqual(fillInCommand(['echo', hole('PORT')], values), ['echo', '8080']);
});

test('every place that asks for a port where there is none is told at once', () => {
  const spec = {
    command: ['x', hole('PORT')],
    env: { URL: `http://localhost:${hole('PORT')}`, OTHER: `$${hole('PORT')} ${hole('HOME')}` },
    readiness: { command: `check ${hole('PORT')}` },
  };
  checkPlaceholders(spec, { port: true, artifact: true });
  assert.throws(() => checkPlaceholders(spec, { port: false, artifact: true }), {
    code: 'invalid_request',
    message: `command.1 uses ${hole('PORT')}, but the service has no port: set port to auto or a number`,
    details: ['command.1', 'env.URL', 'readiness.command'].map((path) => ({
      path,
      message: `uses ${hole('PORT')}, but the service has no port: set port to auto or a number`,
    })),
  });
  checkPlaceholders(
    {
      command: `echo ${hole('PORT')}`,
      ready_log: `on ${hole('PORT')}$`,
      configs: [{ path: hole('PORT'), validate: `test ${hole('PORT')}` }],
    },
    { port: false, artifact: true },
  );
  assert.throws(
    () =>
      checkPlaceholders(
        { configs: [{ validate: ['check', `:${hole('PORT')}`] }] },
        { port: false, artifact: true },
      ),
    /^DavitError: configs\.0\.validate\.1 uses/,
  );
});

test('a text without placeholders is never changed', () => {
  const text = fc.string({ unit: fc.constantFrom('$', '{', '}', 'P', 'PORT', 'HOME', 'x', '\n') });
  fc.assert(
    fc.property(text, (any) => {
      const plain = any.replaceAll(hole('PORT'), '');
      fc.pre(!plain.includes(hole('PORT')));
      assert.equal(fillIn(plain, values), plain);
    }),
  );
});

test('the instances of a fixed port have that and those that follow', () => {
  assert.deepEqual(
    [1, 2, 3].map((instance) => numberPort(8080, instance)),
    [8080, 8081, 8082],
  );
});
