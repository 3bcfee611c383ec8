import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createHostCheck } from '../../src/http/host_check.ts';
import { startApp } from '../helpers/app.ts';

const own_names = ['Build-7'];

async function start(...allowed_hosts: string[]) {
  return startApp((express) => express.use(createHostCheck({ own_names, allowed_hosts })));
}

test('addresses, localhost and the names of this host are answered', async () => {
  await using app = await start();
  const hosts = ['127.0.0.1', '127.0.0.1:8888', '10.1.2.3:80', '[::1]:8888', '[2001:db8::1]', 'localhost'];
  for (const host of [
    ...hosts,
    'LOCALHOST:8888',
    'localhost.',
    'web.localhost:1',
    'build-7',
    'BUILD-7:8888',
  ]) {
    assert.equal((await app.send('POST', '/x', { host })).status, 200, host);
  }
});

test('a name that somebody else lets point here is refused, and the answer says what to set', async () => {
  await using app = await start('davit.test');
  const hosts = [
    'evil.test',
    'localhost.evil.test',
    'notlocalhost',
    'build-7.evil.test',
    '127.0.0.1.evil.test',
    'davit.test.evil.test',
  ];
  for (const host of [
    ...hosts,
    'x@localhost',
    'localhost/x',
    'localhost:port',
    '[evil]',
    '[localhost]',
    '2130706433',
    ':80',
  ]) {
    const { status, body } = await app.send('GET', '/x', { host });
    assert.equal(`${status} ${body.code}`, '403 host_not_allowed', host);
  }
  const { body } = await app.send('GET', '/x', { host: 'Evil.test:80' });
  assert.match(body.error, /name "evil\.test"; add it to allowed_hosts/);
});

test('allowed_hosts adds names, patterns, or everything', async () => {
  await using some = await start('davit.test', '*.corp.test');
  for (const host of ['davit.test', 'Davit.Test:443', 'a.corp.test', 'a.b.corp.test.']) {
    assert.equal((await some.send('GET', '/x', { host })).status, 200, host);
  }
  for (const host of ['corp.test', 'xdavit.test', 'davit.test.x']) {
    assert.equal((await some.send('GET', '/x', { host })).status, 403, host);
  }
  await using every = await start('*');
  assert.equal((await every.send('GET', '/x', { host: 'whatever.test' })).status, 200);
});

test('GET /health is answered under any name, nothing else is', async () => {
  await using app = await start();
  const headers = { host: 'balancer.test' };
  assert.equal((await app.send('GET', '/health', headers)).status, 200);
  assert.equal((await app.send('HEAD', '/health', headers)).status, 200);
  for (const [method, path] of [
    ['POST', '/health'],
    ['GET', '/health/'],
    ['GET', '/Health'],
    ['GET', '//health'],
  ] as const) {
    assert.equal((await app.send(method, path, headers)).status, 403, `${method} ${path}`);
  }
});

test('what a page sends must come from a page of the agent itself', async () => {
  await using app = await start('davit.test');
  const status = async (method: string, host: string, origin: string) =>
    (await app.send(method, '/x', { host, origin })).status;
  for (const [host, origin] of [
    ['localhost:8888', 'http://localhost:8888'],
    ['davit.test', 'https://davit.test'],
    ['davit.test:443', 'https://davit.test'],
    ['DAVIT.test', 'https://davit.test:443'],
    ['[::1]:8888', 'http://[::1]:8888'],
  ] as const) {
    assert.equal(await status('POST', host, origin), 200, `${origin} to ${host}`);
  }
  for (const origin of [
    'http://evil.test',
    'http://localhost:9999',
    'http://localhost',
    'https://localhost.evil.test:8888',
    'null',
    'file://',
    'x',
    '',
  ]) {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      assert.equal(await status(method, 'localhost:8888', origin), 403, `${method} from ${origin}`);
    }
  }
  assert.equal(await status('GET', 'localhost:8888', 'http://evil.test'), 200);
});

test('what a browser says comes from elsewhere is refused, but for a link that is followed', async () => {
  await using app = await start();
  const status = async (method: string, site: string, more: Record<string, string> = {}) =>
    (await app.send(method, '/x', { 'sec-fetch-site': site, ...more })).status;
  const followed = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
  for (const site of ['same-origin', 'same-site', 'none'])
    assert.equal(await status('POST', site), 200, site);
  assert.equal(await status('GET', 'cross-site'), 403);
  assert.equal(await status('POST', 'cross-site'), 403);
  assert.equal(await status('GET', 'cross-site', followed), 200);
  assert.equal(await status('POST', 'cross-site', followed), 403);
  assert.equal(await status('GET', 'cross-site', { ...followed, 'sec-fetch-dest': 'iframe' }), 403);
});
