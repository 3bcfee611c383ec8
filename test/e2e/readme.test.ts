import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { json } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { davitCommand, type RunningAgent, startAgent } from '../helpers/agent.ts';
import { isRunning } from '../helpers/system.ts';

const root = resolve(import.meta.dirname, '../..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const lines = [...readme.matchAll(/```sh\n(.*?)```/gs)].flatMap((block) =>
  (block[1] ?? '').trim().split('\n'),
);
const commands = lines.map((line) => line.replace(/\s+#.*$/, ''));

let agent: RunningAgent;
let place: string;
const told: unknown[] = [];
/** Where the notifier of the page leads here. */
const receiver = createServer(async (request, response) => {
  told.push(await json(request));
  response.end('ok');
});
before(async () => {
  await new Promise<void>((listening) => receiver.listen(0, '127.0.0.1', listening));
  place = mkdtempSync(join(tmpdir(), 'davit-readme-'));
  const address = join(place, 'slack.url');
  writeFileSync(address, `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`);
  const config = /```yaml\n(.*?)```/s.exec(readme)?.[1] ?? '';
  assert.ok(config.includes('/etc/davit/slack.url'));
  agent = await startAgent({ config: parse(config.replace('/etc/davit/slack.url', address)) });
});
after(async () => {
  await agent[Symbol.asyncDispose]();
  receiver.close();
  receiver.closeAllConnections();
  rmSync(place, { recursive: true });
});

/** Runs a line of the page as its reader would, in a shell that knows `davit`. */
async function run(line: string) {
  const davit = davitCommand.map((word) => `'${word}'`).join(' ');
  const script = `davit() { ${davit} "$@"; }\n${line.replace('http://127.0.0.1:8888', agent.url)}`;
  const env = { PATH: process.env['PATH'] ?? '', DAVIT_DATA: agent.data, DAVIT_KEY: agent.key };
  return promisify(execFile)('bash', ['--norc', '-c', script], { env, timeout: 30_000 });
}

test('the deploy of README is answered as README says', async () => {
  const line = commands.find((command) => command.startsWith('curl'));
  assert.ok(line);
  const answer = JSON.parse((await run(line)).stdout);
  const shown = JSON.parse(/```json\n(.*?)```/s.exec(readme)?.[1] ?? '');
  assert.ok(isRunning(answer.pid));
  assert.deepEqual({ ...answer, pid: shown.pid }, shown);
});

for (const line of commands.filter((command) => command.startsWith('davit ') && !command.includes(' -f'))) {
  test(`README: ${line}`, async () => {
    if (line.includes('rollback'))
      await agent.call('POST', '/service/web/deploy', { command: 'exec sleep 1001' });
    const { stdout } = await run(line);
    assert.notEqual(stdout, '');
    if (line === 'davit alert test ops') assert.match(JSON.stringify(told), /can reach this notifier/);
  });
}

test('npm start runs an agent', async () => {
  const data = mkdtempSync(join(tmpdir(), 'davit-readme-'));
  const flags = ['--listen', '127.0.0.1:0', '--data', data];
  const child = spawn('npm', ['start', '--silent', '--', ...flags], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  try {
    for await (const line of createInterface({ input: child.stderr })) {
      const url = /"url":"([^"]+)"/.exec(line)?.[1];
      if (url === undefined) continue;
      assert.equal((await fetch(`${url}/health`)).status, 200);
      break;
    }
    assert.equal(child.exitCode, null, 'it has ended');
  } finally {
    process.kill(-(child.pid ?? 0), 'SIGTERM');
    await once(child, 'exit');
    rmSync(data, { recursive: true, force: true });
  }
});
