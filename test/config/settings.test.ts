import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { stringify } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { configSchema } from '../../src/config/schema.ts';
import { describeConfiguration } from '../../src/config/settings.ts';
import { agentConfiguration } from '../../src/contract/agent_configuration.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-settings-'));
  file = join(folder, 'davit.yaml');
});
afterEach(() => rmSync(folder, { recursive: true }));

type Flags = Parameters<typeof loadConfig>[0];

function load(settings: object, flags: Flags = {}, environment: Record<string, string> = {}) {
  writeFileSync(file, stringify(settings));
  return loadConfig({ config: file, ...flags }, { XDG_STATE_HOME: '/state', ...environment });
}

function describe(...given: Parameters<typeof load>) {
  const loaded = load(...given);
  return describeConfiguration({ started: loaded, current: loaded, refused: null });
}

/** The settings by their paths. */
function byPath(...given: Parameters<typeof load>) {
  return Object.fromEntries(describe(...given).settings.map(({ path, ...setting }) => [path, setting]));
}

test('every setting of the schema is there, with structures as what is in them', () => {
  const shown = describe({});
  agentConfiguration.parse(shown);
  const names = new Set(shown.settings.map(({ path }) => path.split('.')[0]));
  assert.deepEqual([...names].sort(), Object.keys(configSchema.shape).sort());
  const paths = shown.settings.map(({ path }) => path);
  assert.equal(new Set(paths).size, paths.length);
  for (const path of ['listen', 'tls', 'router', 'rate_limits.unproven', 'metrics.interval', 'alerts.rules'])
    assert.ok(paths.includes(path), path);
  assert.ok(!paths.includes('metrics'));
  assert.equal(shown.file, file);
});

test('a structure that is set is shown by its fields, and one that is not as null', () => {
  const tls = { cert_file: '/tls/cert.pem', key_file: '/tls/key.pem' };
  const settings = byPath({ tls });
  assert.equal(settings['tls'], undefined);
  assert.equal(settings['tls.key_file']?.value, '/tls/key.pem');
  assert.equal(settings['tls.client_ca_file']?.value, null);
  assert.equal(byPath({})['tls']?.value, null);
});

test('each setting names who says it', () => {
  const settings = byPath(
    { listen: '127.0.0.1:1', log_level: 'warn', cgroups: 'off', metrics: { interval: '5s' }, tls: null },
    { listen: '127.0.0.1:3', stop_services: false },
    { DAVIT_LISTEN: '127.0.0.1:2', DAVIT_LOG_LEVEL: 'error', DAVIT_STOP_SERVICES: 'true' },
  );
  const origins = (path: string) => [settings[path]?.value, settings[path]?.origin, settings[path]?.source];
  assert.deepEqual(origins('listen'), ['127.0.0.1:3', 'flag', '--listen']);
  assert.deepEqual(origins('stop_services'), [false, 'flag', '--no-stop-services']);
  assert.deepEqual(origins('log_level'), ['error', 'environment', 'DAVIT_LOG_LEVEL']);
  assert.deepEqual(origins('cgroups'), ['off', 'file', file]);
  assert.deepEqual(origins('metrics.interval'), ['5s', 'file', file]);
  assert.deepEqual(origins('metrics.listener'), [null, 'default', null]);
  assert.deepEqual(origins('tls'), [null, 'file', file]);
  assert.deepEqual(origins('body_limit'), ['1MB', 'default', null]);
  assert.equal(settings['data']?.origin, 'default');
});

test('each setting says what it is, and when another value takes effect', () => {
  const settings = byPath({});
  assert.match(settings['listen']?.description ?? '', /^Where the API listens/);
  assert.match(settings['rate_limits.unproven']?.description ?? '', /^From one address/);
  assert.match(settings['tls']?.description ?? '', /^Serve HTTPS/);
  assert.equal(settings['listen']?.takes_effect, 'at_restart');
  assert.equal(settings['log_level']?.takes_effect, 'at_once');
});

test('what waits for a restart is shown as it was at the start, with what it will be', () => {
  const started = load({ listen: '127.0.0.1:1', log_level: 'info' });
  const current = load({
    listen: '127.0.0.1:2',
    log_level: 'debug',
    tls: { cert_file: '/c', key_file: '/k' },
  });
  const shown = describeConfiguration({ started, current, refused: 'no' });
  const shownValue = (path: string) => shown.settings.find((setting) => setting.path === path)?.value;
  assert.equal(shownValue('listen'), '127.0.0.1:1');
  assert.equal(shownValue('log_level'), 'debug');
  assert.equal(shownValue('tls'), null);
  assert.deepEqual(shown.pending.slice(0, 3), [
    { path: 'listen', value: '127.0.0.1:2' },
    { path: 'tls.cert_file', value: '/c' },
    { path: 'tls.key_file', value: '/k' },
  ]);
  assert.equal(shown.refused, 'no');
});

test('no secret is shown, wherever one may stand', () => {
  const secret = 'hunter2-hunter2';
  const receiver = {
    url: `https://in.example.org/v1/${secret}?token=${secret}`,
    headers: { 'X-Key': secret, Authorization: `Bearer ${secret}` },
    token_file: '/etc/davit/token',
  };
  const settings = byPath({
    metrics: { remote_write: [{ name: 'far', ...receiver }] },
    log_forwarding: [{ name: 'far', type: 'http', ...receiver }],
    jwt_issuers: [
      {
        issuer: 'ci',
        audience: 'davit',
        algorithm: 'RS256',
        jwks_url: `https://ci.example.org/keys?api_key=${secret}`,
        grants: [{ claims: { ref: 'main' }, scopes: ['deploy'] }],
      },
    ],
    alerts: {
      notifiers: [
        { name: 'hook', type: 'webhook', url: receiver.url, headers: receiver.headers },
        {
          name: 'own',
          type: 'webhook',
          url: 'https://example.org/',
          format: 'template',
          body: `{"key":"${secret}"}`,
        },
        { name: 'program', type: 'exec', command: ['/usr/local/bin/tell', '--key', secret] },
      ],
    },
  });
  const text = JSON.stringify(settings);
  assert.ok(!text.includes('hunter2'), text);
  assert.deepEqual(settings['metrics.remote_write']?.value, [
    {
      name: 'far',
      url: 'https://in.example.org/[redacted]',
      token_file: '/etc/davit/token',
      headers: { 'X-Key': '[redacted]', Authorization: '[redacted]' },
      timeout: '30s',
      queue_size: '256MB',
      queue_age: '2h',
      labels: {},
    },
  ]);
  const notifiers = settings['alerts.notifiers']?.value ?? [];
  const [hook, own, program] = notifiers as Record<string, unknown>[];
  assert.equal(hook?.['url'], 'https://in.example.org/[redacted]');
  assert.deepEqual([own?.['url'], own?.['body']], ['https://example.org', '[redacted]']);
  assert.deepEqual(program?.['command'], ['/usr/local/bin/tell', '[redacted]', '[redacted]']);
});

test('a label may have any name', () => {
  const labels = { valueOf: 'site', constructor: 'password=hunter2-hunter2', hasOwnProperty: 'x' };
  const remote_write = [{ name: 'far', url: 'https://in.example.org/', labels }];
  const shown = byPath({ metrics: { remote_write } })['metrics.remote_write']?.value;
  const [target] = shown as { labels: unknown }[];
  assert.deepEqual(target?.labels, { ...labels, constructor: 'password=[redacted]' });
});
