import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createNetworks, type NetworkSettings } from '../../src/http/networks.ts';
import { startApp } from '../helpers/app.ts';

/** The address that the agent sees, or the code of its refusal. */
async function seen(settings: Partial<NetworkSettings>, forwarded?: string | string[]): Promise<string> {
  const networks = createNetworks({ allowed_networks: [], trusted_proxies: [], ...settings });
  await using app = await startApp((express) => express.use(networks.check));
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
  const { status, body } = await app.send('GET', '/', headers);
  return status === 200 ? body.locals.address : `${status} ${body.code}`;
}

const proxy = ['127.0.0.0/8'];

test('without settings everyone may call, and nobody says for others where they are', async () => {
  assert.equal(await seen({}), '127.0.0.1');
  assert.equal(await seen({}, '192.0.2.1'), '127.0.0.1');
});

test('only allowed networks may call', async () => {
  assert.equal(await seen({ allowed_networks: ['10.0.0.0/8', '127.0.0.1'] }), '127.0.0.1');
  assert.equal(await seen({ allowed_networks: ['10.0.0.0/8'] }), '403 network_not_allowed');
  assert.equal(await seen({ allowed_networks: ['10.0.0.0/8'] }, '10.0.0.1'), '403 network_not_allowed');
});

test('a trusted proxy says where a call comes from: the nearest address that is no proxy counts', async () => {
  assert.equal(await seen({ trusted_proxies: proxy }, '192.0.2.1'), '192.0.2.1');
  assert.equal(await seen({ trusted_proxies: proxy }, '10.0.0.1, 192.0.2.1'), '192.0.2.1');
  assert.equal(await seen({ trusted_proxies: proxy }, ['10.0.0.1', '192.0.2.1']), '192.0.2.1');
  assert.equal(await seen({ trusted_proxies: proxy }, '192.0.2.1, 127.0.0.2,127.0.0.3'), '192.0.2.1');
  assert.equal(await seen({ trusted_proxies: proxy }, '127.0.0.9, 127.0.0.2'), '127.0.0.9');
  assert.equal(await seen({ trusted_proxies: proxy }), '127.0.0.1');
  assert.equal(await seen({ trusted_proxies: proxy }, '::ffff:192.0.2.1'), '192.0.2.1');
  assert.equal(await seen({ trusted_proxies: proxy }, '192.0.2.1:4711'), '192.0.2.1');
  assert.equal(await seen({ trusted_proxies: proxy }, '[2001:DB8::1]:4711'), '2001:db8::1');
});

test('a caller cannot write itself into an allowed network', async () => {
  const settings = { allowed_networks: ['10.0.0.0/8', '127.0.0.0/8'], trusted_proxies: proxy };
  assert.equal(await seen(settings, '10.0.0.1'), '10.0.0.1');
  for (const forwarded of ['10.0.0.1, 192.0.2.1', '10.0.0.1, nonsense', '10.0.0.1, ', '127.0.0.1, unknown']) {
    assert.equal(await seen(settings, forwarded), '403 network_not_allowed', forwarded);
  }
});
