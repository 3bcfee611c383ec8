import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LineReceiver } from '../forwarding/line_receiver.ts';
import { SyslogListener } from '../forwarding/syslog_listener.ts';
import { type RunningAgent, startAgent } from '../helpers/agent.ts';
import { until } from '../helpers/system.ts';

/** Writes numbers that rise, twenty a second, until it is stopped. */
const counts = 'n=0; while :; do n=$((n+1)); echo $n; sleep 0.05; done';

const numbersIn = (lines: readonly { line: string }[]) => lines.map(({ line }) => Number(line));

/** How far the service has counted by what the agent has in its log. */
async function countedBy(agent: RunningAgent): Promise<number> {
  const { lines } = (await agent.call('GET', '/service/counter/logs?lines=1')).body;
  return numbersIn(lines).at(-1) ?? 0;
}

async function untilCountedBeyond(agent: RunningAgent, number: number): Promise<void> {
  await until(`it has counted beyond ${number}`, async () => (await countedBy(agent)) > number);
}

test('every line arrives although receivers are down for a while and the agent is killed and started again', async () => {
  const data = await mkdtemp(join(tmpdir(), 'davit-forwarding-'));
  await using receiver = await LineReceiver.start();
  await using listener = await SyslogListener.start();
  const config = {
    log_forwarding: [
      { name: 'lines', type: 'http', url: receiver.url, services: ['counter'] },
      { name: 'syslog', type: 'syslog', address: `127.0.0.1:${listener.port}`, services: ['counter'] },
    ],
  };
  const first = await startAgent({ data, config });
  const { status } = await first.call('POST', '/service/counter/deploy', { command: counts });
  assert.equal(status, 200);
  await until('lines arrive at both', () => receiver.lines.length > 0 && listener.texts.length > 0);
  await Promise.all([receiver.down(), listener.down()]);
  await untilCountedBeyond(first, (await countedBy(first)) + 10);
  await first.end('SIGKILL');

  await using second = await startAgent({ data, config });
  await Promise.all([receiver.up(), listener.up()]);
  await untilCountedBeyond(second, await countedBy(second));
  assert.equal((await second.call('POST', '/service/counter/stop')).status, 200);
  const last = await countedBy(second);
  const before = [receiver.lines.length, listener.texts.length] as const;
  await until('lines arrive at both again', () => {
    return receiver.lines.length > before[0] && listener.texts.length > before[1];
  });
  await until('the last number has arrived at both', () =>
    [receiver, listener].every(({ numbers }) => numbers.includes(last)),
  );

  for (const numbers of [receiver.numbers, listener.numbers])
    assert.deepEqual(
      [...new Set(numbers)].sort((one, other) => one - other),
      Array.from({ length: last }, (_, n) => n + 1),
    );
  const ids = new Set(receiver.lines.map(({ id }) => id));
  assert.equal(ids.size, last, 'what came twice is known by its id');
  const page = (await second.call('GET', '/metrics')).body as string;
  assert.match(page, /^davit_log_forwarding_lines_total\{target="lines"\} [1-9]/m);
  await rm(data, { recursive: true, force: true });
});
