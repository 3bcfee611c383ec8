import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { keyName, listenToKeys } from '../../src/cli/keyboard.ts';

for (const [what, typed, names] of [
  ['letters', 'gG', ['g', 'G']],
  ['signs and spaces', '/? é日🚀', ['/', '?', ' ', 'é', '日', '🚀']],
  ['arrows of either kind', '\u001b[A\u001bOB', ['up', 'down']],
  ['pages, begin and end', '\u001b[5~\u001b[6~\u001b[H\u001b[F', ['pageup', 'pagedown', 'home', 'end']],
  ['Enter and Backspace', '\r\n\u007f\b', ['return', 'enter', 'backspace', 'backspace']],
  ['control and a letter', '\u0003\u001a\u0015', ['ctrl+c', 'ctrl+z', 'ctrl+u']],
  ['Alt and a letter', '\u001bx', ['meta+x']],
  ['what nobody knows', '\u001b[999~x', ['x']],
] as const) {
  test(`${what} have their names`, async () => {
    const input = new PassThrough();
    const seen: string[] = [];
    const end = listenToKeys(input, (name) => seen.push(name));
    input.write(typed);
    input.end();
    await once(input, 'end');
    end();
    assert.deepEqual(seen, names);
  });
}

test('Escape alone is a key, soon after it was typed', async () => {
  const input = new PassThrough();
  const { promise, resolve } = Promise.withResolvers<string>();
  const end = listenToKeys(input, resolve);
  input.write('\u001b');
  assert.equal(await promise, 'escape');
  end();
});

test('nobody is told of keys any more once that is over', async () => {
  const input = new PassThrough();
  const seen: string[] = [];
  listenToKeys(input, (name) => seen.push(name))();
  const end = listenToKeys(input, (name) => seen.push(`again ${name}`));
  input.write('a');
  input.end();
  await once(input, 'end');
  end();
  assert.deepEqual(seen, ['again a']);
});

test('a key without a name has none', () => {
  assert.equal(keyName({ sequence: '\u001b[999~' }), '');
  assert.equal(keyName({}), '');
});
