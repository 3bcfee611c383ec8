import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routerField, routerProcesses, routerSettings } from '../../src/config/router.ts';
import { routerSettings as contract } from '../../src/contract/routing_table.ts';

const listeners = [{ address: '0.0.0.0:80' }];
const file = '/etc/davit/cert.pem';

test('without the setting there is no router', () => {
  assert.equal(routerField.parse(undefined), null);
});

test('the defaults are what routers are to get, in numbers', () => {
  const config = routerField.parse({ listeners });
  assert.ok(config !== null);
  const settings = routerSettings(config);
  assert.doesNotThrow(() => contract.parse(settings));
  assert.equal(settings.limits.header_size, 16_384);
  assert.equal(settings.limits.body_size, null);
  assert.equal(settings.drain_timeout, 60_000);
  assert.ok(routerProcesses(config) >= 1);
  assert.equal(routerProcesses({ ...config, processes: 3 }), 3);
});

test('nothing is written of requests, and traces are only carried, unless the configuration says otherwise', () => {
  const settingsOf = (more: object) => {
    const config = routerField.parse({ listeners, ...more });
    assert.ok(config !== null);
    const settings = routerSettings(config);
    assert.doesNotThrow(() => contract.parse(settings));
    return settings;
  };
  const usual = settingsOf({});
  assert.deepEqual([usual.access_log, usual.trace], [null, 'carry']);
  const everything = { sample: 1, errors: true, slow: null, client_address: 'full' };
  assert.deepEqual(settingsOf({ access_log: {} }).access_log, everything);
  const { access_log, trace } = settingsOf({ access_log: { sample: 0.01, slow: '1.5s' }, trace: 'start' });
  assert.deepEqual([access_log, trace], [{ ...everything, sample: 0.01, slow: 1_500 }, 'start']);
  // Those of an agent that does not know them yet.
  const { access_log: _log, trace: _trace, ...older } = usual;
  assert.doesNotThrow(() => contract.parse(older));
});

for (const [what, config, place] of [
  ['no listener', { listeners: [] }, 'listeners'],
  ['a listener without a port', { listeners: [{ address: '0.0.0.0' }] }, 'listeners.0.address'],
  ['port 0', { listeners: [{ address: '0.0.0.0:0' }] }, 'listeners.0.address'],
  ['a port that is none', { listeners: [{ address: '0.0.0.0:65536' }] }, 'listeners.0.address'],
  ['an address twice', { listeners: [...listeners, ...listeners] }, 'listeners.1.address'],
  ['TLS without a certificate', { listeners: [{ ...listeners[0], tls: true }] }, 'listeners.0.tls'],
  [
    'the PROXY protocol without a proxy',
    { listeners: [{ ...listeners[0], proxy_protocol: true }] },
    'listeners.0.proxy_protocol',
  ],
  [
    'a relative path',
    { listeners, certificates: [{ cert_file: 'x', key_file: file }] },
    'certificates.0.cert_file',
  ],
  ['a network that is none', { listeners, trusted_proxies: ['10.0.0.0/40'] }, 'trusted_proxies.0'],
  ['a size that is none', { listeners, limits: { header_size: 'x' } }, 'limits.header_size'],
  ['a head without room', { listeners, limits: { header_size: '10B' } }, 'limits.header_size'],
  ['a bare number for a time', { listeners, drain_timeout: 60 }, 'drain_timeout'],
  ['no process', { listeners, processes: 0 }, 'processes'],
  ['more than all requests', { listeners, access_log: { sample: 1.1 } }, 'access_log.sample'],
  ['a bare number for what is slow', { listeners, access_log: { slow: 5 } }, 'access_log.slow'],
  ['half an address', { listeners, access_log: { client_address: 'half' } }, 'access_log.client_address'],
  ['a way with traces that there is not', { listeners, trace: 'stop' }, 'trace'],
  ['what is not known', { listeners, port: 80 }, ''],
] as const)
  test(`${what} is refused`, () => {
    const { success, error } = routerField.safeParse(config);
    assert.equal(success, false);
    assert.equal(error?.issues[0]?.path.join('.'), place);
  });
