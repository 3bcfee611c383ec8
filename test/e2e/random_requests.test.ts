import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorAnswer } from '../../src/contract/error_answer.ts';
import { type OperationId, operations } from '../../src/contract/operations.ts';
import { startAgent } from '../helpers/agent.ts';
import { RandomRequests } from '../helpers/random_request.ts';

const requests = 10_000;
const atOnce = 16;
/** Operations that would stop the test from seeing what it looks for. */
const left = new Set(['setLogLevelV1', 'liveV1']);

test(`${requests} random requests made from the OpenAPI document: never a 500, always an answer that the document names`, async (t) => {
  await using agent = await startAgent();
  const { body: document } = await agent.call('GET', '/openapi.json');
  const seed = Number(process.env['DAVIT_TEST_SEED'] ?? Date.now() % 1e9);
  t.diagnostic(`seed ${seed}`);
  const random = new RandomRequests(document, seed);
  const statuses = new Map<number, number>();
  let sent = 0;

  const worker = async () => {
    while (sent++ < requests) {
      const { operationId, method, path, body, headers, statuses: named } = random.next();
      if (left.has(operationId)) continue;
      const answer = await agent.call(method, path, body, headers);
      const shown = `${method} ${path} ${body?.slice(0, 500)} → ${answer.status} ${JSON.stringify(answer.body).slice(0, 500)}`;
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      // This agent has no router.
      assert.ok(answer.status < 500 || answer.body.code === 'router_unavailable', shown);
      // An odd path can miss every route, or hit another one.
      if (answer.status === 404 || answer.status === 405) continue;
      if (new URL(path, agent.url).pathname !== path.replace(/\?.*/, '')) continue;
      assert.ok(named.includes(String(answer.status)), `not in the document: ${shown}`);
      const id = operationId.replace(/V1$/, '') as OperationId;
      const schema = answer.status < 300 ? operations[id].answer : errorAnswer;
      const checked = schema.safeParse(answer.body);
      assert.ok(checked.success, `${shown}\n${checked.error?.message}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  t.diagnostic(`answers by status: ${JSON.stringify(Object.fromEntries([...statuses].sort()))}`);
  assert.ok(
    (statuses.get(200) ?? 0) > requests / 20,
    'most requests were refused: the test looks at nothing',
  );
});
