import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RuleAction, RuleMatch } from '../../src/contract/rules.ts';
import { action } from '../../src/contract/rules.ts';
import { compileAction } from '../../src/routing/actions.ts';
import { factsOf, matchOf, type RequestParts } from './requests.ts';

const hole = (name: string) => `\${${name}}`;

function answerOf(given: object, request: RequestParts = {}) {
  const compiled = compileAction(action.parse(given), matchOf());
  assert.equal(compiled.kind, 'answer');
  return compiled.kind === 'answer' ? compiled.answer(factsOf(request)) : null;
}

function locationOf(to: string, request: RequestParts = {}): string | number | undefined {
  const answer = answerOf({ type: 'redirect', to }, request);
  return answer?.headers['location'] ?? answer?.status;
}

function pathOf(rewrite_prefix: string | null, match: Partial<RuleMatch>, path: string): string | null {
  const route: RuleAction = { type: 'route', service: 'web', rewrite_prefix };
  const compiled = compileAction(route, matchOf(match));
  return compiled.kind === 'services' ? compiled.path(factsOf({ path })) : null;
}

test('the path stays what it was, byte for byte', () => {
  for (const path of ['/', '/a', '/a//b', '/%61;x=1', '//a']) assert.equal(pathOf(null, {}, path), null);
});

test('dot segments are not passed on', () => {
  assert.equal(pathOf(null, {}, '/admin/../a%20b'), '/a%20b');
  assert.equal(pathOf('/v2', { path_prefix: '/api' }, '/x/../api/u'), '/v2/u');
});

test('a prefix is put in the place of the one that was matched', () => {
  assert.equal(pathOf('/v2', { path_prefix: '/api' }, '/api/users'), '/v2/users');
  assert.equal(pathOf('/', { path_prefix: '/api' }, '/api'), '/');
  assert.equal(pathOf('/v2', { path_prefix: '/%61pi' }, '/api/users'), '/v2/users');
  assert.equal(pathOf('/v2', { path: '/api' }, '/%61pi'), '/v2');
  assert.equal(pathOf('/base', {}, '/api'), '/base/api');
  assert.equal(pathOf('/base', { path_regex: 'x' }, '/x'), '/base/x');
  assert.equal(pathOf('/ü', { path_prefix: '/api' }, '/api/x'), '/%C3%BC/x');
});

test('a split has its parts', () => {
  const services = [
    { service: 'old', weight: 9 },
    { service: 'new', weight: 1 },
  ];
  const compiled = compileAction({ type: 'split', services, rewrite_prefix: null }, matchOf());
  assert.deepEqual(compiled.kind === 'services' ? compiled.parts : null, services);
});

test('a denial and an answer are what the rule says', () => {
  assert.equal(answerOf({ type: 'deny' })?.status, 403);
  assert.equal(answerOf({ type: 'deny', status: 404 })?.status, 404);
  assert.deepEqual(answerOf({ type: 'answer', status: 200, body: 'ok', content_type: 'text/html' }), {
    status: 200,
    headers: { 'content-type': 'text/html' },
    body: 'ok',
  });
});

test('a redirect has the parts of the request in the places that are named', () => {
  const request = { host: 'a.example.org', path: '/x/y%20z', query: 'q=1&r=%2F' };
  assert.equal(
    locationOf(`https://${hole('HOST')}${hole('PATH')}${hole('QUERY')}`, request),
    'https://a.example.org/x/y%20z?q=1&r=%2F',
  );
  assert.equal(
    locationOf(`https://new.example.org/old${hole('PATH')}`, request),
    'https://new.example.org/old/x/y%20z',
  );
  assert.equal(locationOf(`/new${hole('QUERY')}`, request), '/new?q=1&r=%2F');
  assert.equal(locationOf(`https://x.org/${hole('QUERY')}`, { query: '' }), 'https://x.org/');
  assert.equal(locationOf('https://x.org/$x/ü', request), 'https://x.org/$x/%C3%BC');
  assert.equal(answerOf({ type: 'redirect', to: '/x', status: 308 })?.status, 308);
});

test('a redirect that names an unknown part is refused', () => {
  assert.throws(
    () => locationOf(`https://x.org/${hole('PORT')}`),
    /^Error: to holds \$\{PORT\}, but there are only HOST, PATH, QUERY to be put in$/,
  );
});

test('nothing that a client sends leads to another host', () => {
  for (const path of [
    '//evil.example/x',
    '///evil.example/x',
    '/.//evil.example/x',
    '/a/..//evil.example/x',
  ]) {
    assert.equal(locationOf(`${hole('PATH')}`, { path }), '/evil.example/x', path);
    assert.equal(locationOf(`/${hole('PATH')}`, { path }), '/evil.example/x', path);
    const location = String(locationOf(`https://x.org${hole('PATH')}`, { path }));
    assert.equal(new URL(location).host, 'x.org', path);
  }
  for (const host of [
    '',
    'evil.example/',
    'a@evil.example',
    'evil.example#',
    'evil.example?',
    'a\r\nx: y',
    'a:80',
    'a\\b',
    'ü',
    '.a',
    'a.',
    '[::1',
    '::1',
  ])
    assert.equal(locationOf(`https://${hole('HOST')}/`, { host }), 400, host);
  assert.equal(locationOf(`https://${hole('HOST')}/`, { host: '[::1]' }), 'https://[::1]/');
});

test('nothing that a client sends ends the header', () => {
  const query = 'a=\r\nset-cookie: x=1#\u0000é"';
  assert.equal(locationOf(`/x${hole('QUERY')}`, { query }), '/x?a=%0D%0Aset-cookie:%20x=1%23%00%C3%A9"');
});
