import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { accessFields } from '../../src/config/access.ts';
import type { ConsoleConfig } from '../../src/config/console.ts';
import { ApiKeys } from '../../src/http/api_keys.ts';
import { JwtVerifier } from '../../src/http/jwt.ts';
import type { Principal } from '../../src/http/permission.ts';
import { Sessions } from '../../src/http/sessions.ts';
import { signToken } from '../../src/lib/token.ts';
import { migrations } from '../../src/services/schema.ts';

const folder = mkdtempSync(join(tmpdir(), 'davit-sessions-'));
after(() => rmSync(folder, { recursive: true }));
const secret_file = join(folder, 'secret');
const signingKey = 'a secret of more than thirty-two bytes';
writeFileSync(secret_file, signingKey, { mode: 0o600 });

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;

type Issuer = Record<string, unknown>;
const ci: Issuer = { issuer: 'ci', audience: 'davit', algorithm: 'HS256', secret_file, scope_claim: 'scope' };
const issuers = (...rules: Issuer[]) => accessFields.jwt_issuers.parse(rules);

/** Everything that signing in needs, in memory, by a clock that stands unless it is moved. */
function start() {
  const database = new DatabaseSync(':memory:');
  for (const migration of migrations) database.exec(migration);
  const problems: string[] = [];
  const world = {
    // The tokens are made by the real clock.
    now: Date.now(),
    settings: { idle_timeout: '1h', lifetime: '12h' } as ConsoleConfig,
    /** Whether what is open by a principal was ended. */
    isEnded: (_: Principal): boolean => false,
  };
  const now = () => world.now;
  const onProblem = (message: string) => void problems.push(message);
  const keys = new ApiKeys({ database, onRevoked: () => {}, onProblem, now });
  const tokens = new JwtVerifier({ issuers: issuers(ci), onProblem, now });
  const begin = () =>
    new Sessions({
      ...{ database, keys, tokens, onProblem, now },
      settings: () => world.settings,
      onEnded: (fits) => {
        const before = world.isEnded;
        world.isEnded = (principal) => before(principal) || fits(principal);
      },
    });
  const newKey = (name = 'anna', expires_at: number | null = null) => {
    const { id, key } = keys.create({ name, scopes: ['read'], services: ['web'], expires_at });
    const principal = keys.verify(key);
    assert.ok(principal);
    return { id, principal };
  };
  const rows = () => Number(database.prepare('SELECT count(*) AS count FROM sessions').get()?.['count']);
  return Object.assign(world, { database, problems, keys, tokens, begin, newKey, rows });
}

async function tokenPrincipal(tokens: JwtVerifier, expires_in_seconds = 3600): Promise<Principal> {
  const claims = { issuer: 'ci', audience: 'davit', subject: 'main', scope: 'deploy', services: null };
  return tokens.verify(
    await signToken({ ...claims, algorithm: 'HS256', key: signingKey, expires_in_seconds }),
  );
}

test('a session says who it is of, what that one may, and how long', () => {
  const world = start();
  const sessions = world.begin();
  const { principal } = world.newKey();
  const { secret, session } = sessions.begin(principal);
  assert.match(secret, /^[A-Za-z0-9_-]{43}$/);
  assert.match(session.csrf_token, /^[A-Za-z0-9_-]{43}$/);
  assert.notEqual(session.csrf_token, secret);
  assert.deepEqual(session.principal, {
    ...principal,
    session: session.principal.session,
    expires_at: world.now + 12 * hour,
  });
  assert.equal(session.expires_at, world.now + 12 * hour);
  assert.equal(session.idle_timeout, hour);
  assert.deepEqual(sessions.find(secret, true), session);
  for (const wrong of ['', 'x', `${secret}x`, secret.toLowerCase(), session.principal.session])
    assert.equal(sessions.find(wrong, true), null);
  const other = sessions.begin(principal);
  assert.notEqual(other.session.csrf_token, session.csrf_token);
});

test('without use a session ends after the idle timeout, to the millisecond, and use puts it off', () => {
  const world = start();
  const sessions = world.begin();
  const { secret } = sessions.begin(world.newKey().principal);
  world.now += hour - 1;
  assert.ok(sessions.find(secret, false), 'what is no use does not end it');
  assert.ok(sessions.find(secret, true));
  world.now += hour - 1;
  assert.ok(sessions.find(secret, false));
  world.now += 1;
  assert.equal(sessions.find(secret, false), null, 'what is no use does not put it off');
  assert.equal(sessions.find(secret, true), null, 'and it does not come back');
});

test('however much it is used, a session ends after its lifetime', () => {
  const world = start();
  const sessions = world.begin();
  const { secret } = sessions.begin(world.newKey().principal);
  for (let time = 0; time < 12 * hour - 30 * minute; time += 30 * minute) {
    world.now += 30 * minute;
    assert.ok(sessions.find(secret, true));
  }
  world.now += 30 * minute - 1;
  assert.ok(sessions.find(secret, true));
  world.now += 1;
  assert.equal(sessions.find(secret, true), null);
});

test('settings that are others count at once where they are stricter, and a lifetime is never made longer', () => {
  const world = start();
  const sessions = world.begin();
  const { secret, session } = sessions.begin(world.newKey().principal);
  world.settings = { idle_timeout: '30d', lifetime: '30d' };
  assert.equal(sessions.find(secret, true)?.expires_at, session.expires_at);
  world.settings = { idle_timeout: '5m', lifetime: '2h' };
  assert.equal(sessions.find(secret, true)?.expires_at, session.created_at + 2 * hour);
  world.now += 5 * minute;
  assert.equal(sessions.find(secret, true), null);
});

test('without a console there are no sessions, and none comes back with it', () => {
  const world = start();
  const sessions = world.begin();
  const { principal } = world.newKey();
  const { secret } = sessions.begin(principal);
  const { settings } = world;
  world.settings = false;
  assert.equal(sessions.find(secret, true), null);
  assert.throws(() => sessions.begin(principal), { code: 'not_supported' });
  sessions.look();
  assert.equal(world.rows(), 0);
  world.settings = settings;
  assert.equal(sessions.find(secret, true), null);
});

test('a session by a key ends when that is revoked or expires', () => {
  const world = start();
  const sessions = world.begin();
  const revoked = world.newKey('revoked');
  const brief = world.newKey('brief', world.now + minute);
  const first = sessions.begin(revoked.principal);
  const other = sessions.begin(brief.principal);
  assert.equal(other.session.expires_at, world.now + minute);
  world.keys.revoke(revoked.id);
  assert.equal(sessions.find(first.secret, true), null);
  assert.ok(sessions.find(other.secret, true));
  world.now += minute;
  assert.equal(sessions.find(other.secret, true), null);
});

test('a session by a token ends with it', async () => {
  const world = start();
  const sessions = world.begin();
  const principal = await tokenPrincipal(world.tokens, 600);
  const { secret, session } = sessions.begin(principal);
  assert.equal(session.expires_at, principal.expires_at);
  assert.deepEqual(session.principal.grants, [{ scope: 'deploy', services: null }]);
  world.now = session.expires_at - 1;
  assert.ok(sessions.find(secret, true));
  world.now += 1;
  assert.equal(sessions.find(secret, true), null);
});

test('a session by a token ends when its issuer is trusted otherwise, or not any more', async () => {
  const otherFile = join(folder, 'rotated');
  const rotated = { ...ci, secret_file: otherFile };
  const changes: Record<string, [Issuer[], boolean]> = {
    'nothing changed': [[ci], true],
    'another issuer came': [[ci, { ...ci, issuer: 'other' }], true],
    'the issuer is gone': [[{ ...ci, issuer: 'other' }], false],
    'it grants something else': [[{ ...ci, services_claim: 'services' }], false],
    'its key is in another file': [[rotated], false],
  };
  writeFileSync(otherFile, signingKey, { mode: 0o600 });
  for (const [change, [rules, isKept]] of Object.entries(changes)) {
    const world = start();
    const sessions = world.begin();
    const { secret } = sessions.begin(await tokenPrincipal(world.tokens));
    world.tokens.reload(issuers(...rules));
    assert.equal(sessions.find(secret, true) !== null, isKept, change);
    assert.equal(world.begin().find(secret, true) !== null, isKept, `${change}, by the next agent`);
  }
  const world = start();
  world.tokens.reload(issuers(rotated));
  const sessions = world.begin();
  const { secret } = sessions.begin(await tokenPrincipal(world.tokens));
  writeFileSync(otherFile, 'another secret of more than thirty-two bytes');
  world.tokens.reload(issuers(rotated));
  assert.equal(sessions.find(secret, true), null, 'the file holds another key');
});

test('the next agent takes sessions up, with their use, and no secret is stored', () => {
  const world = start();
  const sessions = world.begin();
  const { principal } = world.newKey();
  const { secret, session } = sessions.begin(principal);
  const ended = sessions.begin(principal);
  sessions.end(ended.session.principal.session);
  world.now += 50 * minute;
  sessions.find(secret, true);
  sessions.close();
  world.now += 50 * minute;
  const next = world.begin();
  assert.deepEqual(next.find(secret, true), session);
  assert.equal(next.find(ended.secret, true), null);
  assert.equal(next.cookieSuffix, sessions.cookieSuffix);
  assert.match(next.cookieSuffix, /^[0-9a-f]{8}$/);
  assert.notEqual(start().begin().cookieSuffix, next.cookieSuffix);
  const [row] = world.database.prepare('SELECT * FROM sessions').all();
  const stored = Object.values(row ?? {}).map((value) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('base64url') : String(value),
  );
  for (const kept of [secret, session.csrf_token]) assert.ok(!stored.join().includes(kept));
});

test('what has ended is removed', () => {
  const world = start();
  const sessions = world.begin();
  sessions.begin(world.newKey().principal);
  sessions.begin(world.newKey().principal);
  assert.equal(world.rows(), 2);
  world.now += hour;
  sessions.look();
  assert.equal(world.rows(), 0);
});

test('who signs out ends one session with what it opened, and everywhere all of them', () => {
  const world = start();
  const sessions = world.begin();
  const [anna, berta] = [world.newKey('anna').principal, world.newKey('berta').principal];
  const [first, second, third] = [sessions.begin(anna), sessions.begin(anna), sessions.begin(anna)];
  const other = sessions.begin(berta);
  sessions.end(first.session.principal.session);
  sessions.end('unknown');
  assert.equal(sessions.find(first.secret, true), null);
  assert.ok(world.isEnded(first.session.principal));
  for (const { session } of [second, third, other]) assert.ok(!world.isEnded(session.principal));
  assert.equal(sessions.endAll(anna.actor), 2);
  assert.equal(sessions.endAll(anna.actor), 0);
  for (const { secret, session } of [second, third]) {
    assert.equal(sessions.find(secret, true), null);
    assert.ok(world.isEnded(session.principal));
  }
  assert.ok(!world.isEnded(anna), 'what the key itself opened goes on');
  assert.ok(sessions.find(other.secret, true));
  assert.ok(!world.isEnded(other.session.principal));
});

test('idleness leaves open what a session opened, until somebody signs out everywhere', () => {
  const world = start();
  const sessions = world.begin();
  const { principal } = world.newKey();
  const { session } = sessions.begin(principal);
  world.now += hour;
  sessions.look();
  assert.ok(!world.isEnded(session.principal));
  assert.equal(sessions.endAll(principal.actor), 0);
  assert.ok(world.isEnded(session.principal));
});

test('of one there are at most 20 sessions, and in all 1,000: the oldest go', () => {
  const world = start();
  const sessions = world.begin();
  const { principal } = world.newKey();
  const own = Array.from({ length: 21 }, () => {
    world.now += second;
    return sessions.begin(principal);
  });
  assert.equal(sessions.find(own[0]?.secret ?? '', true), null);
  assert.ok(own[0] && world.isEnded(own[0].session.principal));
  for (const { secret } of own.slice(1)) assert.ok(sessions.find(secret, true));
  assert.equal(world.rows(), 20);
  const many = Array.from({ length: 49 }, () => world.newKey().principal);
  for (const one of many) for (let count = 0; count < 20; count++) sessions.begin(one);
  assert.equal(world.rows(), 1000);
  assert.ok(sessions.find(own[1]?.secret ?? '', true));
  sessions.begin(world.newKey().principal);
  assert.equal(world.rows(), 1000);
  assert.equal(sessions.find(own[1]?.secret ?? '', true), null);
  assert.ok(sessions.find(own[2]?.secret ?? '', true));
});

test('sessions that have ended take nobody the place', () => {
  const world = start();
  const sessions = world.begin();
  const { principal } = world.newKey();
  for (let count = 0; count < 19; count++) sessions.begin(principal);
  world.now += 30 * minute;
  const { secret } = sessions.begin(principal);
  world.now += 30 * minute;
  for (let count = 0; count < 19; count++) sessions.begin(principal);
  assert.ok(sessions.find(secret, true));
});

test('while nothing can be written people sign in and out all the same, and it is written later', () => {
  const world = start();
  const sessions = world.begin();
  const { principal } = world.newKey();
  const before = sessions.begin(principal);
  world.database.exec('PRAGMA query_only = ON');
  const { secret } = sessions.begin(principal);
  sessions.end(before.session.principal.session);
  assert.ok(sessions.find(secret, true));
  assert.equal(sessions.find(before.secret, true), null);
  assert.match(world.problems[0] ?? '', /who is signed in to the console cannot be written down/);
  world.database.exec('PRAGMA query_only = OFF');
  sessions.look();
  const next = world.begin();
  assert.ok(next.find(secret, true));
  assert.equal(next.find(before.secret, true), null);
});
