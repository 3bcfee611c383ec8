import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { AgentClient } from '../../src/cli/client.ts';
import { follow } from '../../src/cli/event_stream.ts';
import { resolveTarget } from '../../src/cli/target.ts';
import { fakeAgent } from './fake_agent.ts';

interface Following {
  readonly url: string;
  readonly signal?: AbortSignal;
  readonly notices?: string[];
}

async function* events({ url, signal = new AbortController().signal, notices = [] }: Following) {
  const client = new AgentClient(resolveTarget({ url }, { HOME: '/nowhere' }, false), null, signal);
  const onNotice = (message: string) => void notices.push(message);
  try {
    yield* follow({ client, path: '/logs', query: { follow: 'true' }, signal, onNotice });
  } finally {
    client.close();
  }
}

async function take(count: number, following: Following): Promise<string[]> {
  const seen: string[] = [];
  for await (const { data } of events(following)) {
    seen.push(data);
    if (seen.length === count) break;
  }
  return seen;
}

function begin(response: ServerResponse): ServerResponse {
  return response.writeHead(200, { 'content-type': 'text/event-stream' });
}

function event(id: number, data = `line ${id}`): string {
  return `event: line\nid: ${id}\ndata: ${data}\n\n`;
}

test('events come as they are sent, whole also when they come in pieces', async () => {
  await using agent = await fakeAgent(async (_request, response) => {
    const bytes = Buffer.from(`: hello\n\n${event(1, 'Grüße 🚢')}${event(2)}`);
    begin(response);
    for (const byte of bytes) response.write(Buffer.of(byte));
  });
  assert.deepEqual(await take(2, agent), ['Grüße 🚢', 'line 2']);
  assert.equal(agent.requests[0]?.headers.accept, 'text/event-stream');
  assert.equal(agent.requests[0]?.headers['last-event-id'], undefined);
});

for (const how of ['resetAndDestroy', 'end'] as const) {
  test(`a stream that ends (${how}) is taken up after the last event, and that is said`, async () => {
    const notices: string[] = [];
    await using agent = await fakeAgent((request, response) => {
      const last = Number(request.headers['last-event-id'] ?? 0);
      begin(response).write(event(last + 1) + event(last + 2));
      if (last < 4)
        setTimeout(() => (how === 'end' ? response.end() : response.socket?.resetAndDestroy()), 20);
    });
    const lines = await take(6, { url: agent.url, notices });
    assert.deepEqual(lines, ['line 1', 'line 2', 'line 3', 'line 4', 'line 5', 'line 6']);
    assert.equal(agent.requests.at(-1)?.headers['last-event-id'], '4');
    assert.match(notices.join('\n'), /ended; taking the stream up again\nconnected again/);
  });
}

test('a stream survives that the agent is restarted, and that the next one is still starting', async () => {
  let count = 0;
  await using agent = await fakeAgent((request, response) => {
    count++;
    if (count === 2) return { http_status: 503, error: 'stopping', code: 'shutting_down' };
    begin(response).write(event(Number(request.headers['last-event-id'] ?? 0) + 1));
    if (count === 1) setTimeout(() => response.end(), 20);
  });
  assert.deepEqual(await take(2, agent), ['line 1', 'line 2']);
  assert.equal(count, 3);
});

test('a stream that may not be taken up again ends with what the agent says', async () => {
  let count = 0;
  await using agent = await fakeAgent((_request, response) => {
    if (count++ > 0) return { http_status: 401, error: 'revoked', code: 'unauthenticated' };
    begin(response).end(event(1));
  });
  await assert.rejects(take(2, agent), { code: 'unauthenticated', message: 'revoked' });
});

test('a stream that does not begin is an error at once', async () => {
  await using agent = await fakeAgent(() => ({ http_status: 404, error: 'none', code: 'service_not_found' }));
  await assert.rejects(take(1, agent), { code: 'service_not_found' });
});

test('an interruption ends a stream with its reason', async () => {
  const interruption = new AbortController();
  await using agent = await fakeAgent((_request, response) => void begin(response).write(event(1)));
  const ending = (async () => {
    for await (const _ of events({ url: agent.url, signal: interruption.signal })) {
      interruption.abort(new Error('enough'));
    }
  })();
  await assert.rejects(ending, { message: 'enough' });
});
