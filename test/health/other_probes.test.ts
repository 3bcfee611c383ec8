import assert from 'node:assert/strict';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { probeCheck } from '../../src/health/probe_check.ts';
import type { CommandEnd } from '../../src/health/target.ts';
import { ProcessTable } from '../../src/processes/process_table.ts';
import { runCommand } from '../../src/processes/run_command.ts';
import { fixture, programOf } from '../helpers/processes.ts';
import { processesWith, until } from '../helpers/system.ts';
import { ask, closedPort, instanceAt, listen, probeOf } from './asking.ts';

const linuxOnly = { skip: process.platform === 'linux' ? false : 'reads /proc' };

test('tcp: a connection that is accepted is a success, and is closed', async (t) => {
  let open = 0;
  const server = createServer((socket) => {
    open++;
    socket.resume().on('error', () => {});
    socket.on('close', () => open--);
  });
  const port = await listen(t, server);
  const { success, message } = await ask({ type: 'tcp' }, port);
  assert.deepEqual([success, message], [true, `A connection to 127.0.0.1:${port} was accepted`]);
  await until('no connection is left', () => open === 0);
});

test('tcp: the port and host of the probe win over those of the instance', async (t) => {
  const port = await listen(t, createServer());
  assert.equal((await ask({ type: 'tcp', port, host: 'localhost' }, 1)).success, true);
});

test('tcp: where nobody listens, or the name is not known, the message says so', async () => {
  const refused = await ask({ type: 'tcp' }, await closedPort(createServer()));
  assert.match(refused.message, /was refused: nobody listens there$/);
  const unknown = await ask({ type: 'tcp', host: 'no-such-host.invalid' }, 80);
  assert.match(unknown.message, /failed: /);
  assert.deepEqual([refused.success, unknown.success], [false, false]);
});

/** How the monitor is given to run commands: for real. */
function running(marker: string) {
  const table = new ProcessTable();
  const env = { DAVIT_TEST: marker, WORD: 'from the service' };
  return {
    runCommand: (command: string | readonly string[], timeout_ms: number, signal: AbortSignal) =>
      runCommand(programOf(command, { env }), { timeout_ms, signal, table }),
  };
}

for (const [command, success, message] of [
  ['echo "$WORD"', true, /^`echo "\$WORD"` ended with exit code 0: from the service$/],
  [['sh', '-c', 'echo no >&2; exit 2'], false, /^`sh -c 'echo no >&2; exit 2'` ended with exit code 2: no$/],
  ['kill -9 $$', false, /was ended by SIGKILL$/],
  [['/no/such/program'], false, /could not be run: .*no such file/],
] as const) {
  test(`exec: ${command} is a ${success ? 'success' : 'failure'}`, linuxOnly, async () => {
    const result = await ask({ type: 'exec', command }, null, running('plain'));
    assert.equal(result.success, success);
    assert.match(result.message, message);
  });
}

test('exec: at its timeout a command ends with its children', linuxOnly, async () => {
  const marker = `exec-${process.pid}`;
  const command = fixture('setsid_child.sh');
  const result = await ask({ type: 'exec', command, timeout: '1s' }, null, running(marker));
  assert.equal(result.success, false);
  assert.match(result.message, /took longer than 1000 ms and was killed: (child \d+|ready)/);
  assert.deepEqual(processesWith(`DAVIT_TEST=${marker}`), []);
});

test('exec: of the output the last 1000 characters are told', async () => {
  const end: CommandEnd = { code: 1, signal: null, timed_out: false, output: `${'x'.repeat(5_000)}end\n` };
  const { message } = await ask({ type: 'exec', command: 'check' }, null, { runCommand: async () => end });
  assert.equal(message, `\`check\` ended with exit code 1: …${'x'.repeat(997)}end`);
});

const using = (resident_bytes: number, cpu_seconds = 0) => ({
  usage: async () => ({ resident_bytes, cpu_seconds }),
});

test('process: one that is gone is a failure, and one that is there within its limits a success', async () => {
  const gone = await ask({ type: 'process' }, null, { isAlive: () => false });
  assert.deepEqual([gone.success, gone.message], [false, 'The process is gone']);
  const there = await ask({ type: 'process' }, null);
  assert.deepEqual([there.success, there.message], [true, 'The process is there']);
  const limited = { type: 'process', max_memory: '10MB', max_cpu: 1 };
  assert.equal((await ask(limited, null, using(1e7))).success, true);
  const greedy = await ask(limited, null, using(1e7 + 1));
  assert.deepEqual(
    [greedy.success, greedy.message],
    [false, 'The process uses 11MB of memory, more than 10MB'],
  );
});

test('process: cores are counted from one probe to the next', async () => {
  let cpu_seconds = 1_000;
  const usage = async () => ({ resident_bytes: 1, cpu_seconds });
  const check = probeCheck(probeOf({ type: 'process', max_cpu: 0.5 }), instanceAt(null, { usage }));
  const { signal } = new AbortController();
  assert.equal((await check(signal)).success, true);
  assert.equal((await check(signal)).success, true);
  cpu_seconds += 1_000;
  const { success, message } = await check(signal);
  assert.equal(success, false);
  assert.match(message, /^The process uses [\d.]+ cores, more than 0\.5$/);
});

test('process: what is not known is no failure, and what takes too long is one', async () => {
  const limited = { type: 'process', max_memory: '10MB', timeout: '50ms' };
  assert.equal((await ask(limited, null)).success, true);
  const never = await ask(limited, null, { usage: () => new Promise(() => {}) });
  assert.deepEqual([never.success, /took longer than 50 ms/.test(never.message)], [false, true]);
});

test('a probe of an address of IPv6 shows it in brackets', async (t) => {
  const server = createHttpServer((_request, response) => void response.end());
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(0, '::1', resolve);
    });
  } catch {
    t.skip('this host has no IPv6');
    return;
  }
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const { message } = await ask({ type: 'http', host: '::1' }, port);
  assert.equal(message, `GET http://[::1]:${port}/ answered 200`);
});
