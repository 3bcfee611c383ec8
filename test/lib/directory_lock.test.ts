import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { lockDirectory } from '../../src/lib/directory_lock.ts';

const module = resolve(import.meta.dirname, '../../src/lib/directory_lock.ts');
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'davit-lock-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Another process that holds the lock until it is killed, and a child of it that outlives it. */
async function holder() {
  const program = `
    import { spawn } from 'node:child_process';
    import { lockDirectory } from ${JSON.stringify(module)};
    globalThis.release = lockDirectory(${JSON.stringify(folder)});
    const child = spawn('sleep', ['60'], { detached: true, stdio: 'ignore' });
    console.log(child.pid);
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(child.stdout, 'data');
  return { child, sleeper: Number(String(line)) };
}

test('a directory in use is refused with the pid of the agent that uses it', async () => {
  const { child, sleeper } = await holder();
  try {
    assert.throws(() => lockDirectory(folder), {
      code: 'state_conflict',
      message: `another agent (pid ${child.pid}) uses ${folder}`,
    });
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
    process.kill(sleeper, 'SIGKILL');
  }
});

test('the lock goes with the process that holds it, even when that is killed and its children live on', async () => {
  const { child, sleeper } = await holder();
  child.kill('SIGKILL');
  await once(child, 'exit');
  lockDirectory(folder)();
  process.kill(sleeper, 'SIGKILL');
});

test('a directory that was given free can be taken again', () => {
  lockDirectory(folder)();
  lockDirectory(folder)();
});
