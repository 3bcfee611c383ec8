import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { accessSync, chownSync, constants, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import type { Answer } from '../helpers/agent.ts';
import { davitCommand } from '../helpers/agent.ts';
import { untilGone } from '../helpers/system.ts';

const nobody = 65_534;

/** Why an agent cannot be run as another account here; false where it can. */
function whyNot(): string | false {
  if (process.getuid?.() !== 0) return 'only root may become another user';
  for (const path of davitCommand) {
    accessSync(path, constants.R_OK);
    for (let folder = path; folder !== '/'; folder = dirname(folder))
      if ((statSync(folder).mode & 0o005) !== 0o005 && folder !== path)
        return `${folder} is closed to others`;
  }
  return false;
}

test('an ordinary user has everything but what needs root, and is told what that is once', {
  skip: whyNot(),
}, async (t) => {
  const data = mkdtempSync(join(tmpdir(), 'davit-nobody-'));
  chownSync(data, nobody, nobody);
  const [program, ...first] = davitCommand;
  const child = spawn(program, [...first, 'agent', '--data', data, '--listen', '127.0.0.1:0'], {
    uid: nobody,
    gid: nobody,
    cwd: '/',
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.after(async () => {
    child.kill('SIGKILL');
    await untilGone(Number(child.pid));
    rmSync(data, { recursive: true, force: true });
  });
  const log: Record<string, unknown>[] = [];
  for await (const line of createInterface({ input: child.stderr })) {
    log.push(JSON.parse(line));
    if (log.at(-1)?.['msg'] === 'listening') break;
  }
  const authorization = `Bearer ${readFileSync(join(data, 'admin.key'), 'utf8').trim()}`;
  const ask = async (method: string, path: string, body?: unknown): Promise<Answer['body']> => {
    const init = {
      method,
      headers: { authorization },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    };
    return (await fetch(String(log.at(-1)?.['url']) + path, init)).json();
  };

  const { warnings, control_groups } = await ask('GET', '/api/v1/agent');
  const asUser = /^the agent runs as (nobody|65534), not as root: services cannot run as other users$/;
  assert.equal(warnings.filter((warning: string) => asUser.test(warning)).length, 1, warnings.join('\n'));
  assert.equal(control_groups.used, false);
  assert.ok(warnings.includes(control_groups.reason));
  for (const warning of warnings) assert.equal(log.filter(({ msg }) => msg === warning).length, 1, warning);

  const { pid } = await ask('POST', '/service/web/deploy', {
    command: 'sleep 1000 & exec sleep 1000',
    min_uptime: '0s',
  });
  const { processes } = await ask('GET', '/api/v1/services/web/processes');
  assert.deepEqual(new Set(processes.map(({ user }: { user: string }) => user)).size, 1);
  assert.equal(statSync(`/proc/${pid}`).uid, nobody);
  const other = await ask('POST', '/service/other/deploy', { command: 'true', user: 'root' });
  assert.equal(other.code, 'spawn_failed');
  assert.match(other.error, /only an agent that runs as root can start a service as user root/);
  assert.deepEqual((await ask('GET', '/api/v1/orphans')).orphans, []);
  assert.equal((await ask('POST', '/service/web/stop')).status, 'stopped');
  await untilGone(pid);
});
