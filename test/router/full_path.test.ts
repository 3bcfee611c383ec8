import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { type TestContext, test } from 'node:test';
import { bodyOf, closedPort, openBackend, openFront } from '../helpers/http_front.ts';

/** One request on a connection of its own. */
async function send(
  t: TestContext,
  port: number,
  options: RequestOptions = {},
  body: string | null = null,
): Promise<IncomingMessage & { text: string }> {
  const agent = new Agent();
  t.after(() => agent.destroy());
  const request = httpRequest({ port, host: '127.0.0.1', agent, ...options });
  request.end(body ?? undefined);
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  return Object.assign(answer, { text: await bodyOf(answer) });
}

test('a request reaches the instance, and its answer the client', async (t) => {
  const backend = await openBackend(t, async (request, response) => {
    const text = await bodyOf(request);
    response.writeHead(201, 'Made', { 'X-Answer': 'a', 'Set-Cookie': ['one=1', 'two=2'] });
    response.end(`${request.method} ${request.url} ${text}`);
  });
  const { port, service } = await openFront(t, [backend.port]);
  const answer = await send(t, port, { method: 'POST', path: '/a/b?c=d&e' }, 'hello');
  assert.equal(answer.statusCode, 201);
  assert.equal(answer.statusMessage, 'Made');
  assert.equal(answer.headers['x-answer'], 'a');
  assert.deepEqual(answer.headers['set-cookie'], ['one=1', 'two=2']);
  assert.equal(answer.text, 'POST /a/b?c=d&e hello');
  assert.deepEqual(service.facts, [
    { instance: 1, fact: 'answered', how: 201 },
    { instance: 1, fact: 'end' },
  ]);
});

test('a request goes to another instance when the first one cannot be reached', async (t) => {
  const backend = await openBackend(t, async (request, response) => response.end(await bodyOf(request)));
  const { port, service } = await openFront(t, [await closedPort(), backend.port]);
  const answer = await send(t, port, { method: 'POST' }, 'sent once');
  assert.equal(answer.statusCode, 200);
  assert.equal(answer.text, 'sent once');
  assert.deepEqual(
    service.facts.map(({ instance, fact }) => `${instance} ${fact}`),
    ['1 failed', '1 retried', '1 end', '2 answered', '2 end'],
  );
});
