import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Spec, type SpecPatch, spec as schema } from '../../src/contract/spec.ts';
import {
  fullAuthority,
  noAuthority,
  requireOpenPatch,
  requireOpenSpec,
  requireUnsealed,
  type SealedChange,
} from '../../src/services/seal.ts';
import { applyPatch } from '../../src/services/spec.ts';

const sealed = applyPatch(null, {
  command: ['run'],
  sealed: true,
  env: { KEY: 'secret' },
  parameters: { v: {} },
});
const open = applyPatch(null, { command: ['run'] });
const change = (current: Spec | null, more: Partial<SealedChange> = {}): SealedChange => ({
  id: 'web',
  current,
  authority: noAuthority,
  isRequired: false,
  ...more,
});
const refuses = (fields: readonly string[]) => ({
  code: 'command_sealed',
  fields: { sealed_fields: fields },
});

test('of a sealed service a deploy sets the artifact and arguments, and no other field, whatever it is', () => {
  requireOpenPatch(change(sealed), { artifact: { sha256: 'a'.repeat(64) }, arguments: { v: '1' } });
  requireOpenPatch(change(sealed), {});
  requireOpenPatch(change(sealed), { command: undefined });
  for (const name of Object.keys(schema.parse({ command: ['x'] })) as (keyof Spec)[]) {
    if (name === 'artifact' || name === 'arguments') continue;
    for (const value of [sealed[name], null]) {
      const patch = { [name]: value, arguments: {} } as SpecPatch;
      assert.throws(() => requireOpenPatch(change(sealed), patch), refuses([name]), name);
      requireOpenPatch(change(sealed, { authority: fullAuthority }), patch);
    }
  }
});

test('nobody finds out a hidden value by trying: the right guess is refused like the wrong ones', () => {
  for (const KEY of ['secret', 'guess'])
    assert.throws(() => requireOpenPatch(change(sealed), { env: { KEY } }), refuses(['env']));
});

test('only who decides seals', () => {
  assert.throws(() => requireOpenPatch(change(open), { sealed: true }), refuses(['sealed']));
  assert.throws(() => requireOpenPatch(change(null), { command: 'x', sealed: true }), refuses(['sealed']));
  assert.throws(() => requireOpenSpec(change(null), sealed), refuses(['sealed']));
  requireOpenPatch(change(open), { command: 'x', sealed: false });
  requireOpenSpec(change(null, { authority: fullAuthority }), sealed);
});

test('a former release of the same definition is one of the same service; another is not', () => {
  const same = { ...sealed, arguments: { v: '0' }, artifact: { sha256: 'b'.repeat(64) } };
  requireOpenSpec(change(sealed), same);
  assert.throws(() => requireOpenSpec(change(sealed), { ...same, user: 'root' }), refuses(['user']));
  assert.throws(() => requireOpenSpec(change(sealed), { ...same, sealed: false }), refuses(['sealed']));
  assert.throws(() => requireOpenSpec(change(sealed), { ...same, parameters: {} }), refuses(['parameters']));
  requireOpenSpec(change(open), { ...open, command: 'other' });
});

test('what is sealed is not done away with', () => {
  assert.throws(() => requireUnsealed(change(sealed), 'delete it'), {
    code: 'command_sealed',
    message: /delete it/,
  });
  requireUnsealed(change(sealed, { authority: fullAuthority }), 'delete it');
  requireUnsealed(change(open), 'delete it');
  requireUnsealed(change(null), 'delete it');
});

test('an agent that takes commands from those who decide alone lets nobody else make or change what is not sealed', () => {
  const strict = { isRequired: true };
  assert.throws(() => requireOpenPatch(change(null, strict), { command: 'x' }), { code: 'command_sealed' });
  assert.throws(() => requireOpenPatch(change(open, strict), { env: {} }), { code: 'command_sealed' });
  assert.throws(() => requireOpenPatch(change(open, strict), { arguments: {} }), { code: 'command_sealed' });
  assert.throws(() => requireOpenSpec(change(open, strict), open), { code: 'command_sealed' });
  assert.throws(() => requireOpenSpec(change(null, strict), open), { code: 'command_sealed' });
  requireOpenPatch(change(sealed, strict), { arguments: { v: '2' } });
  requireOpenSpec(change(sealed, strict), sealed);
  requireOpenPatch(change(null, { ...strict, authority: fullAuthority }), { command: 'x' });
});
