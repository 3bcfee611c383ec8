import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { SpecPatch } from '../../src/contract/spec.ts';
import type { DavitError } from '../../src/lib/errors.ts';
import { parameterTexts } from '../../src/services/parameters.ts';
import { applyPatch } from '../../src/services/spec.ts';

const hole = (name: string) => `$\{parameter.${name}}`;
const specOf = (patch: object) => applyPatch(null, { command: ['run'], ...patch } as SpecPatch);
const fill = (parameters: object, given: object = {}) =>
  parameterTexts(specOf({ parameters, arguments: given }));

function problems(patch: object): [string, string][] {
  try {
    specOf(patch);
    return [];
  } catch (error) {
    const { code, details } = error as DavitError;
    assert.equal(code, 'invalid_request', String(error));
    return details.map(({ path, message }) => [path, message]);
  }
}

test('a value is what is given, else the default, else there is none', () => {
  const parameters = {
    version: {},
    color: { default: 'blue' },
    count: { type: 'integer', default: 0 },
    flag: { type: 'boolean' },
  };
  assert.deepEqual(fill(parameters), { color: 'blue', count: '0' });
  const given = { version: 'v1', color: 'green', count: 7, flag: false };
  assert.deepEqual(fill(parameters, given), { version: 'v1', color: 'green', count: '7', flag: 'false' });
});

test('nothing starts without a value that is required, unless there is a default', () => {
  assert.throws(
    () => fill({ a: { required: true }, b: { required: true, default: 'x' }, c: { required: true } }),
    {
      code: 'invalid_request',
      message: /a, c must be given/,
    },
  );
});

const fits: readonly [definition: object, good: readonly unknown[], bad: readonly unknown[]][] = [
  [
    {},
    ['', 'a b', 'x'.repeat(256), 'ü', 5, true],
    ['-x', '--option', 'a\nb', 'a\u0000', 'a\u2028b', '\u001b[1m', 'x'.repeat(257)],
  ],
  [{ max_length: 3 }, ['abc'], ['abcd']],
  [{ pattern: 'v\\d+' }, ['v1', 'v22'], ['v', 'xv1', 'v1x', 'v1\nv2', '\nv1', 'v1\n', '']],
  [{ pattern: 'a|b' }, ['a', 'b'], ['ab', 'ax', 'xb']],
  [{ pattern: '(?i)prod' }, ['PROD'], ['production']],
  [{ pattern: '(?m)^a$' }, ['a'], ['a\nb', 'b\na']],
  [{ pattern: '-.*' }, ['--yes'], ['yes']],
  [
    { type: 'integer' },
    [0, -5, 7, '12'],
    ['', '1.5', '1e3', '0x1', '01', '-0', ' 1', 'x', true, '9'.repeat(16)],
  ],
  [{ type: 'boolean' }, [true, false, 'true', 'false'], ['yes', 1, 0, '']],
  [{ type: 'enum', values: ['a', 'b'] }, ['a', 'b'], ['c', 'A', '', 'ab', 0]],
];

test('values are what their parameter allows, as a whole, and nothing else', () => {
  for (const [definition, good, bad] of fits) {
    const wrong = (value: unknown) => problems({ parameters: { p: definition }, arguments: { p: value } });
    for (const value of good)
      assert.deepEqual(wrong(value), [], `${JSON.stringify(definition)} ${String(value)}`);
    for (const value of bad)
      assert.equal(wrong(value).length, 1, `${JSON.stringify(definition)} ${JSON.stringify(value)}`);
    for (const value of bad)
      assert.equal(
        problems({ parameters: { p: { ...definition, default: value } } }).length,
        1,
        `default ${String(value)}`,
      );
  }
});

test('no text gets past a pattern that does not match it as a whole', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('v', '1', '.', '\n', ' ', 'x', '-') }), (text) => {
      const isWrong =
        problems({ parameters: { p: { pattern: 'v1(\\.1)*' } }, arguments: { p: text } }).length > 0;
      assert.equal(isWrong, !/^v1(\.1)*$/.test(text));
    }),
  );
});

test('definitions that do not fit together are refused with their place', () => {
  const wrong = (definition: object) => problems({ parameters: { p: definition } }).map(([path]) => path);
  assert.deepEqual(wrong({ type: 'enum' }), ['parameters.p.values']);
  assert.deepEqual(wrong({ values: ['a'] }), ['parameters.p.values']);
  assert.deepEqual(wrong({ type: 'integer', pattern: 'x' }), ['parameters.p.pattern']);
  assert.deepEqual(wrong({ pattern: '(' }), ['parameters.p.pattern']);
  // By itself it closes what it has not opened.
  assert.deepEqual(wrong({ pattern: 'a)|(b' }), ['parameters.p.pattern']);
  assert.deepEqual(problems({ parameters: { 'Not-A-Name': {} } }).length, 1);
  assert.deepEqual(problems({ parameters: { version: {} }, arguments: { verison: 'x' } }), [
    ['arguments.verison', 'is no parameter of the service; did you mean "version"?'],
  ]);
});

const p = { parameters: { p: {} } };

test('a value is filled in where it stays a value', () => {
  const good = [
    { command: ['run', hole('p'), `--version=${hole('p')}`, '-server', hole('p')] },
    { env: { A: `x${hole('p')}`, command: hole('p') } },
    { port: 80, readiness: { type: 'http', path: '/up', headers: { A: hole('p') } } },
    { readiness: { type: 'exec', command: ['test', hole('p')] } },
    { command: `echo $${hole('p')}` },
    { command: ['sh', '-c', 'echo "$PARAMETER_P"'] },
  ];
  for (const patch of good) assert.deepEqual(problems({ ...p, ...patch }), [], JSON.stringify(patch));
});

test('a value is refused wherever it would become code, or would not be filled in', () => {
  const bad: readonly [patch: object, path: string, why: RegExp][] = [
    [{ command: `run ${hole('p')}` }, 'command', /"\$PARAMETER_P"/],
    [{ command: [hole('p')] }, 'command.0', /choose what runs/],
    [{ command: [`./${hole('p')}/run`] }, 'command.0', /choose what runs/],
    [{ command: ['sh', '-c', hole('p')] }, 'command.2', /code/],
    [{ command: ['bash', '-lc', `run ${hole('p')}`] }, 'command.2', /code/],
    [{ command: ['env', 'node', '--eval', hole('p')] }, 'command.3', /code/],
    [{ command: ['perl', '-e', hole('p')] }, 'command.2', /code/],
    [{ command: ['perl', `-e${hole('p')}`] }, 'command.1', /code/],
    [{ command: ['node', `--eval=${hole('p')}`] }, 'command.1', /code/],
    [{ readiness: { type: 'exec', command: `test ${hole('p')}` } }, 'readiness.command', /shell/],
    [{ liveness: { type: 'exec', command: [hole('p')] } }, 'liveness.command.0', /choose what runs/],
    [{ liveness: { type: 'exec', command: ['sh', '-c', hole('p')] } }, 'liveness.command.2', /code/],
    [{ configs: [{ name: 'a', path: '/a', validate: `check ${hole('p')}` }] }, 'configs.0.validate', /shell/],
    [
      { configs: [{ name: 'a', path: '/a', validate: ['check', hole('p')] }] },
      'configs.0.validate.1',
      /not filled in/,
    ],
    [{ configs: [{ name: 'a', path: `/${hole('p')}` }] }, 'configs.0.path', /not filled in/],
    [{ cwd: `/opt/${hole('p')}` }, 'cwd', /not filled in/],
    [{ command: ['run', hole('q')] }, 'command.1', /no parameter/],
    [{ command: ['run', hole('P')] }, 'command.1', /no parameter/],
  ];
  for (const [patch, path, why] of bad) {
    const [[where, what] = ['', ''], ...more] = problems({ ...p, ...patch });
    assert.deepEqual([where, more], [path, []], JSON.stringify(patch));
    assert.match(what, why);
  }
});

test('names that every object has are names like any other', () => {
  const parameters = { constructor: { required: true } };
  assert.throws(() => fill(parameters), { code: 'invalid_request' });
  assert.deepEqual(fill(parameters, { constructor: 'x' }), { constructor: 'x' });
  assert.equal(problems({ ...p, arguments: { constructor: 'x' } }).length, 1);
  assert.equal(problems({ ...p, command: ['run', hole('constructor')] }).length, 1);
});

test('a service without parameters may hold any text', () => {
  assert.deepEqual(problems({ command: `echo ${hole('p')}`, env: { A: hole('x') } }), []);
});
