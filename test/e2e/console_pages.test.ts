import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { request } from 'undici';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';

let agent: RunningAgent;

before(async () => {
  agent = await startAgent();
});
after(() => agent[Symbol.asyncDispose]());

/** As a browser asks, without any credential. */
function ask(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Response> {
  return fetch(agent.url + path, { method, headers, redirect: 'manual' });
}

async function scriptOf(): Promise<string> {
  const page = await (await ask('/console/')).text();
  return /src="(\/console\/assets\/[^"]+\.js)"/.exec(page)?.[1] ?? '';
}

test('the address of the agent leads to the console', async () => {
  for (const path of ['/', '/console']) {
    const answer = await ask(path);
    assert.equal(answer.status, 302);
    assert.equal(answer.headers.get('location'), '/console/');
  }
});

test('a browser that asks for an icon gets it, and is no failed attempt', async () => {
  const answer = await fetch(`${agent.url}/favicon.ico`);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('content-type'), 'image/svg+xml');
});

test('every page of the console is the same document, under a policy without exceptions', async () => {
  const pages = await Promise.all(
    ['/console/', '/console/services/web', '/console/services/a.b/logs', '/console/sign-in?to=/x'].map(
      async (path) => {
        const answer = await ask(path, { 'accept-encoding': 'identity' });
        assert.equal(answer.status, 200);
        assert.match(answer.headers.get('content-type') ?? '', /^text\/html/);
        assert.equal(answer.headers.get('cache-control'), 'no-cache');
        const policy = answer.headers.get('content-security-policy') ?? '';
        assert.match(policy, /default-src 'none';script-src 'self';style-src 'self';/);
        assert.doesNotMatch(policy, /unsafe|https?:|\*/);
        return answer.text();
      },
    ),
  );
  assert.equal(new Set(pages).size, 1);
  assert.doesNotMatch(pages[0] ?? '', /<script(?![^>]*src=)|<style|https?:\/\//);
});

test('a script is lasting, compressed as the browser can take it, and not sent twice', async () => {
  const path = await scriptOf();
  const plain = await ask(path, { 'accept-encoding': 'identity' });
  const text = await plain.text();
  assert.equal(plain.headers.get('content-encoding'), null);
  assert.match(plain.headers.get('cache-control') ?? '', /immutable/);
  for (const [accepted, encoding] of [
    ['gzip, deflate, br, zstd', 'br'],
    ['gzip, deflate', 'gzip'],
  ]) {
    const answer = await ask(path, { 'accept-encoding': accepted ?? '' });
    assert.equal(answer.headers.get('content-encoding'), encoding);
    assert.equal(answer.headers.get('vary'), 'Accept-Encoding');
    assert.equal(await answer.text(), text);
    const etag = answer.headers.get('etag') ?? '';
    // Not by fetch, which asks for a new answer where it names the one that it has.
    const again = await request(agent.url + path, {
      headers: { 'accept-encoding': accepted ?? '', 'if-none-match': etag },
    });
    assert.equal(again.statusCode, 304);
  }
});

test('a file that is not there is no page', async () => {
  for (const path of [
    '/console/assets/nothing.js',
    '/console/nothing.css',
    '/console/..%2f..%2fetc%2fpasswd.txt',
  ]) {
    assert.equal((await ask(path)).status, 401, path);
    assert.equal((await agent.call('GET', path)).status, 404, path);
  }
});

test('only reading is answered, and HEAD without a body', async () => {
  assert.equal((await ask('/console/', {}, 'POST')).status, 401);
  const head = await ask('/console/', {}, 'HEAD');
  assert.equal(head.status, 200);
  assert.equal(await head.text(), '');
});

test('with `console: false` there are no pages', async () => {
  await using without = await startAgent({ config: { console: false, listen: '127.0.0.1:0' } });
  for (const path of ['/', '/console/', await scriptOf()]) {
    const answer = await fetch(without.url + path, { redirect: 'manual' });
    assert.equal(answer.status, 401, path);
  }
});
