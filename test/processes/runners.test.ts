import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { testRunner } from './conformance/runner_cases.ts';
import { Stage } from './conformance/stage.ts';

if (process.platform === 'linux') testRunner('direct');

test('where systemd does not run the host, that is known before anything is started', {
  skip: existsSync('/run/systemd/system') && 'systemd runs this host',
}, async (t) => {
  const stage = new Stage(t, 'systemd');
  const expected = { code: 'not_supported', message: 'systemd does not run this host: use "runner: direct"' };
  assert.throws(() => stage.runtime.checkRunner(stage.program('true')), expected);
  await assert.rejects(stage.start('true'), expected);
});
