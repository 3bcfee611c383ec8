import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openBackend } from '../helpers/http_front.ts';

/** How much goes through, and by how much the process may grow meanwhile; in bytes. */
const size = 1_000_000_000;
const mostGrowth = 64_000_000;
/** What goes through before it is looked: what the runtime takes for any body at all does not count. */
const warmUp = 100_000_000;

const chunk = Buffer.alloc(65_536, 'x');

/** A front in a process of its own, before one instance. */
async function forkFront(
  t: TestContext,
  instance: number,
): Promise<{ port: number; memory(): Promise<number> }> {
  const child: ChildProcess = fork(join(import.meta.dirname, '../fixtures/http_front_process.ts'), [
    String(instance),
  ]);
  t.after(() => child.kill('SIGKILL'));
  const [port] = (await once(child, 'message')) as [number];
  return {
    port,
    async memory() {
      child.send('memory');
      const [bytes] = (await once(child, 'message')) as [number];
      return bytes;
    },
  };
}

function watchMemory(memory: () => Promise<number>): {
  look(passed: number): Promise<void>;
  growth(): number;
} {
  const seen: number[] = [];
  return {
    async look(passed) {
      if (passed >= warmUp) seen.push(await memory());
    },
    growth: () => Math.max(...seen) - (seen[0] as number),
  };
}

test('a large body goes up in bounded memory, to an instance that reads it slowly', async (t) => {
  let got = 0;
  const backend = await openBackend(t, (request, response) => {
    // One turn of the loop for each part: the client could send far faster.
    request.on('data', (part) => {
      got += part.length;
      request.pause();
      setImmediate(() => request.resume());
    });
    request.on('end', () => response.end(String(got)));
  });
  const front = await forkFront(t, backend.port);
  const watch = watchMemory(front.memory);
  const request = httpRequest({
    port: front.port,
    host: '127.0.0.1',
    method: 'POST',
    headers: { 'Content-Length': size },
  });
  const answer = once(request, 'response');
  for (let sent = 0, round = 0; sent < size; round += 1) {
    const part = chunk.subarray(0, Math.min(chunk.length, size - sent));
    sent += part.length;
    if (!request.write(part)) await once(request, 'drain');
    if (round % 1_000 === 0) await watch.look(sent);
  }
  request.end();
  const [response] = (await answer) as [IncomingMessage];
  response.resume();
  assert.equal(got, size);
  assert.ok(watch.growth() < mostGrowth, `it grew by ${watch.growth()} bytes`);
});

test('a large body comes down in bounded memory, to a client that reads it slowly', async (t) => {
  const backend = await openBackend(t, async (_request, response) => {
    response.writeHead(200, { 'Content-Length': size });
    for (let sent = 0; sent < size; sent += chunk.length)
      if (!response.write(chunk.subarray(0, size - sent))) await once(response, 'drain');
    response.end();
  });
  const front = await forkFront(t, backend.port);
  const watch = watchMemory(front.memory);
  const request = httpRequest({ port: front.port, host: '127.0.0.1' }).end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let got = 0;
  let round = 0;
  for await (const part of response) {
    got += (part as Buffer).length;
    round += 1;
    if (round % 1_000 === 0) await watch.look(got);
  }
  assert.equal(got, size);
  assert.ok(watch.growth() < mostGrowth, `it grew by ${watch.growth()} bytes`);
});
