import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigReload, type Prepare } from '../../src/config/reload.ts';
import { type Config, configSchema } from '../../src/config/schema.ts';

const origins = { file: null, from_file: {}, from_environment: {}, from_flags: {} };
const configOf = (settings: Partial<Config> = {}) => ({
  config: configSchema.parse({ data: '/data', ...settings }),
  origins,
});

/** A reload that writes down what happens. */
function recorded(parts: readonly Prepare[] = []) {
  const told: string[] = [];
  const reload = new ConfigReload({
    loaded: configOf(),
    parts,
    onTaken: ({ changed }, waiting) => told.push(`${changed.join(',')}|${waiting.join(',')}`),
    onRefused: (message) => told.push(message),
  });
  return { reload, told };
}

test('no part changes anything when another cannot', () => {
  const done: string[] = [];
  const part =
    (name: string): Prepare =>
    () => {
      done.push(`${name} is ready`);
      return () => done.push(`${name} has changed`);
    };
  let works = false;
  const weak: Prepare = (next, change) => {
    if (!works) throw new Error('the third part cannot');
    return part('third')(next, change);
  };
  const { reload, told } = recorded([part('first'), part('second'), weak]);
  const load = () => configOf({ log_level: 'debug' });
  reload.take(load);
  assert.deepEqual(done.splice(0), ['first is ready', 'second is ready']);
  const refusal = 'the configuration was not taken over, and nothing has changed: the third part cannot';
  assert.deepEqual(reload.warnings, [refusal]);
  works = true;
  reload.take(load);
  assert.deepEqual(done.slice(3), ['first has changed', 'second has changed', 'third has changed']);
  assert.deepEqual(told, [refusal, 'log_level|']);
  assert.deepEqual(reload.warnings, []);
});

test('what waits for a restart is told again and again until it is as at the start', () => {
  const { reload, told } = recorded();
  const warning = 'listen: takes effect at the next restart of the agent';
  reload.take(() => configOf({ listen: '127.0.0.1:9' }));
  reload.take(() => configOf({ listen: '127.0.0.1:9', log_level: 'debug' }));
  assert.deepEqual(reload.warnings, [warning]);
  reload.take(() => {
    throw new Error('no such file');
  });
  assert.equal(reload.warnings.length, 2);
  assert.equal(reload.warnings[0], warning);
  reload.take(() => configOf());
  assert.deepEqual(reload.warnings, []);
  assert.deepEqual([told[0], told[1], told[3]], ['listen|listen', 'log_level|listen', 'listen,log_level|']);
});
