import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accessFields } from '../../src/config/access.ts';
import { createNetworks } from '../../src/http/networks.ts';
import { createRateLimits, type RateLimits } from '../../src/http/rate_limits.ts';
import { type RunningApp, startApp } from '../helpers/app.ts';
import { until } from '../helpers/system.ts';

/** Limits of three requests a minute, on callers who say themselves where and who they are. */
function start(limit: keyof RateLimits, per = '1m'): Promise<RunningApp> {
  const three = { requests: 3, per };
  const settings = { unproven: three, failed_authentications: three, authenticated: three };
  const limits = createRateLimits(settings);
  return startApp((app) => {
    app.use(createNetworks({ allowed_networks: [], trusted_proxies: ['127.0.0.1'] }).check);
    app.use((request, response, next) => {
      response.locals['principal'] = { actor: request.get('X-Actor') ?? 'key:a' };
      next();
    });
    app.use(limits[limit]);
  });
}

async function statuses(
  app: RunningApp,
  count: number,
  headers: Record<string, string> = {},
): Promise<number[]> {
  const found: number[] = [];
  for (let sent = 0; sent < count; sent++) found.push((await app.send('GET', '/', headers)).status);
  return found;
}

for (const limit of ['unproven', 'failedAuthentications'] as const) {
  test(`${limit}: one address has so many, another has its own`, async () => {
    await using app = await start(limit);
    assert.deepEqual(await statuses(app, 5, { 'x-forwarded-for': '192.0.2.1' }), [200, 200, 200, 429, 429]);
    assert.deepEqual(await statuses(app, 1, { 'x-forwarded-for': '192.0.2.2' }), [200]);
  });

  test(`${limit}: all addresses of an IPv6 /64 are one caller`, async () => {
    await using app = await start(limit);
    const found: number[] = [];
    for (const address of [
      '2001:db8::1',
      '2001:db8::2',
      '2001:db8::ffff:1',
      '2001:db8::3',
      '2001:db8:0:1::1',
    ]) {
      found.push(...(await statuses(app, 1, { 'x-forwarded-for': address })));
    }
    assert.deepEqual(found, [200, 200, 200, 429, 200]);
  });
}

test('authenticated: one principal has so many, wherever it calls from', async () => {
  await using app = await start('authenticated');
  const found: number[] = [];
  for (const last of [1, 2, 3, 4]) {
    found.push(...(await statuses(app, 1, { 'x-forwarded-for': `192.0.2.${last}` })));
  }
  assert.deepEqual(found, [200, 200, 200, 429]);
  assert.deepEqual(await statuses(app, 1, { 'x-actor': 'key:b' }), [200]);
});

test('the refusal says when to come back, in the form of every error', async () => {
  await using app = await start('authenticated');
  await statuses(app, 3);
  const { status, headers, body } = await app.send('GET', '/');
  assert.equal(status, 429);
  const seconds = Number(headers['retry-after']);
  assert.ok(seconds > 50 && seconds <= 60, `Retry-After is ${headers['retry-after']}`);
  assert.equal(body.code, 'too_many_requests');
  assert.match(body.error, /more than 3 requests with this credential within 1m; try again in \d+ s/);
});

test('the next window begins anew', async () => {
  await using app = await start('authenticated', '200ms');
  assert.deepEqual(await statuses(app, 3), [200, 200, 200]);
  let status = 0;
  for (const deadline = Date.now() + 5000; status !== 200 && Date.now() < deadline; )
    [status = 0] = await statuses(app, 1);
  assert.equal(status, 200);
});

test('a clock that is set back makes no window longer', async (context) => {
  await using app = await start('authenticated', '1s');
  const { now } = Date;
  context.mock.method(Date, 'now', () => now() + 3_600_000);
  assert.deepEqual(await statuses(app, 4), [200, 200, 200, 429]);
  context.mock.restoreAll();
  await until('the window has ended', async () => (await statuses(app, 1))[0] === 200);
});

test('the default limit holds back no single client on this host', async () => {
  const limits = createRateLimits(accessFields.rate_limits.parse(undefined));
  await using app = await startApp((express) => {
    express.use((_request, response, next) => {
      response.locals['principal'] = { actor: 'key:a' };
      next();
    }, limits.authenticated);
  });
  const all = await Promise.all(Array.from({ length: 20 }, () => statuses(app, 20)));
  assert.ok(all.flat().every((status) => status === 200));
});

test('many callers do not make the memory of a limit grow without bound', async () => {
  const limits = createRateLimits({
    unproven: { requests: 1, per: '1h' },
    failed_authentications: { requests: 1, per: '1h' },
    authenticated: { requests: 1, per: '1h' },
  });
  const passes = async (actor: string) => {
    const response = { locals: { principal: { actor } }, setHeader: () => {} };
    return await new Promise<boolean>((resolve) => {
      void limits.authenticated({} as never, response as never, (error?: unknown) =>
        resolve(error === undefined),
      );
    });
  };
  assert.equal(await passes('first'), true);
  assert.equal(await passes('first'), false);
  for (let index = 0; index < 10_000; index++) await passes(`caller ${index}`);
  assert.equal(await passes('first'), true);
});
