import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import { changedSettings } from '../../src/config/reload.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-config-'));
  file = join(folder, 'davit.yaml');
});
afterEach(() => rmSync(folder, { recursive: true }));

test('without anything, the agent listens on loopback and leaves services running', () => {
  writeFileSync(file, '');
  const config = loadConfig({ config: file }, { XDG_STATE_HOME: '/state' }).config;
  assert.equal(config.listen, '127.0.0.1:8888');
  assert.equal(config.log_level, 'info');
  assert.equal(config.stop_services, false);
  assert.equal(config.tls, null);
  assert.equal(config.data, process.getuid?.() === 0 ? '/var/lib/davit' : '/state/davit');
});

test('flags win over the environment, the environment over the file', () => {
  writeFileSync(file, 'listen: 127.0.0.1:1\nlog_level: warn\ndata: /from/file\nstop_services: true\n');
  const environment = { DAVIT_LISTEN: '127.0.0.1:2', DAVIT_LOG_LEVEL: 'error', DAVIT_STOP_SERVICES: 'false' };
  const config = loadConfig({ config: file, listen: '127.0.0.1:3' }, environment).config;
  assert.equal(config.listen, '127.0.0.1:3');
  assert.equal(config.log_level, 'error');
  assert.equal(config.data, '/from/file');
  assert.equal(config.stop_services, false);
});

test('the file can be named by the environment', () => {
  writeFileSync(file, 'log_level: debug');
  assert.equal(loadConfig({}, { DAVIT_CONFIG: file }).config.log_level, 'debug');
});

for (const [what, text, message] of [
  [
    'a setting that is not known',
    'listn: 1',
    /^listn in .*davit\.yaml: is not known; did you mean "listen"\?/,
  ],
  ['an address without a port', 'listen: localhost', /^listen in .*host:port/],
  ['a port that is none', 'listen: localhost:70000', /port must be at most 65535/],
  ['a secret of the agent passed on', 'pass_env: [DAVIT_KEY]', /^pass_env\[0\] in .*agent's own/],
  ['a list in the place of settings', '- a', /must hold settings/],
  ['YAML that is none', 'listen: [', /davit\.yaml: .*line 1/s],
  ['a setting given twice', 'listen: a:1\nlisten: b:1', /unique.*line 2/s],
] as const) {
  test(`${what} is refused with its place`, () => {
    writeFileSync(file, text);
    assert.throws(() => loadConfig({ config: file }, {}), { code: 'invalid_request', message });
  });
}

test('a file that is not there is named', () => {
  assert.throws(() => loadConfig({ config: '/no/such.yaml' }, {}), { message: /\/no\/such\.yaml/ });
});

test('a wrong environment variable is refused', () => {
  writeFileSync(file, '');
  assert.throws(() => loadConfig({ config: file }, { DAVIT_STOP_SERVICES: 'maybe' }), {
    message: /stop_services/,
  });
});

test('a reload tells what changed, and what of it waits for a restart', () => {
  writeFileSync(file, 'allowed_hosts: [a]');
  const before = loadConfig({ config: file }, {}).config;
  writeFileSync(file, 'allowed_hosts: [b]\nlisten: 127.0.0.1:9\n');
  const after = loadConfig({ config: file }, {}).config;
  assert.deepEqual(changedSettings(before, after), {
    changed: ['listen', 'allowed_hosts'],
    needRestart: ['listen'],
  });
  assert.deepEqual(changedSettings(after, after), { changed: [], needRestart: [] });
});
