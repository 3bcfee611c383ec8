import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  momentArgument,
  serviceArgument,
  servicePath,
  signalArgument,
  wholeNumber,
} from '../../src/cli/arguments.ts';

test('what is no service id never becomes part of a path', () => {
  for (const id of ['..', '.', '', 'a/b', 'a?b', 'a#b', '%2e%2e', 'A', 'web\n']) {
    assert.throws(() => serviceArgument(id), /must be 1 to 63 characters/);
    assert.throws(() => servicePath(id), /is no service id/);
  }
  assert.equal(servicePath(serviceArgument('web-1.x'), '/stop'), '/api/v1/services/web-1.x/stop');
});

test('a signal goes by any of its usual names', () => {
  for (const name of ['HUP', 'hup', 'SIGHUP', 'sighup']) assert.equal(signalArgument(name), 'SIGHUP');
  assert.throws(() => signalArgument('HUPP'), /did you mean SIGHUP/);
  assert.throws(() => signalArgument('nothing-like-it'), /known are SIGHUP, /);
});

test('a moment is a duration ago or a time, local where it names no zone', () => {
  assert.equal(momentArgument('15m'), '15m');
  assert.equal(momentArgument('2026-01-31T12:00:00Z'), '2026-01-31T12:00:00.000Z');
  assert.equal(momentArgument('2026-01-31T12:00:00+02:00'), '2026-01-31T10:00:00.000Z');
  assert.equal(momentArgument('2026-01-31 12:00'), new Date(2026, 0, 31, 12).toISOString());
  assert.equal(momentArgument('2026-01-31'), new Date(2026, 0, 31).toISOString());
  for (const wrong of ['15', 'yesterday', '2026-13-01', '2026-01-31 25:00', '31.1.2026']) {
    assert.throws(() => momentArgument(wrong), /must be like 15m/);
  }
});

test('a number is whole and not below its least', () => {
  assert.equal(wholeNumber()('7'), 7);
  assert.equal(wholeNumber(0)('0'), 0);
  for (const wrong of ['0', '-1', '1.5', 'x', '', '1e3'])
    assert.throws(() => wholeNumber()(wrong), /whole number/);
});
