import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DeliveryFailure } from '../../src/alerts/notifiers/delivery_failure.ts';
import { Exec, type RunExec } from '../../src/alerts/notifiers/exec.ts';
import { ownAccount } from '../../src/processes/account.ts';
import { runCommand } from '../../src/processes/run_command.ts';
import { sampleNotification } from '../helpers/notification.ts';
import { isRunning, until } from '../helpers/system.ts';

const run: RunExec = ({ command, env, ...limits }) =>
  runCommand(
    { command, cwd: '/', env: { PATH: process.env['PATH'] ?? '', ...env }, account: ownAccount() },
    limits,
  );
const never = new AbortController().signal;
const shell = (script: string, timeout = 60_000) =>
  new Exec({ name: 'run', command: ['/bin/sh', '-c', script], timeout, run });

async function failureOf(work: Promise<unknown>): Promise<DeliveryFailure> {
  const error = await work.then(
    () => assert.fail('it succeeded'),
    (each: unknown) => each,
  );
  assert.ok(error instanceof DeliveryFailure, String(error));
  return error;
}

test('a command reads the notification and finds the facts in its environment', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'davit-notifier-'));
  const notification = sampleNotification({ title: 'a\nb\u0000c "$(reboot)"' });
  await shell(`cat > ${folder}/in; env > ${folder}/env`).deliver(notification, never);
  assert.deepEqual(JSON.parse(await readFile(join(folder, 'in'), 'utf8')), notification);
  const env = (await readFile(join(folder, 'env'), 'utf8')).split('\n');
  for (const line of [
    'DAVIT_NOTIFIER=run',
    'DAVIT_NOTIFICATION=n-1',
    'DAVIT_STATUS=firing',
    'DAVIT_RULE=service_failed',
    'DAVIT_ALERT_SERVICE=web',
    'DAVIT_SEVERITY=critical',
    'DAVIT_HOST=host-a',
    'DAVIT_TITLE=a b c "$(reboot)"',
  ])
    assert.ok(env.includes(line), line);
});

test('a command that ends with another code than 0 has failed and is tried again', async () => {
  const failure = await failureOf(shell('echo no; exit 3').deliver(sampleNotification(), never));
  assert.deepEqual([failure.retry, failure.message, failure.answer], [true, 'it ended with 3', 'no\n']);
});

test('a command that reads nothing of much is no problem', async () => {
  const notification = sampleNotification({ title: 'x'.repeat(1_000_000) });
  assert.equal((await shell('true').deliver(notification, never)).outcome, 'exit code 0');
});

test('a command that takes too long is killed, and tried again', async () => {
  const failure = await failureOf(shell('sleep 1000', 300).deliver(sampleNotification(), never));
  assert.deepEqual([failure.retry, failure.message], [true, 'it takes longer than 0.3 s']);
});

test('a command that is ended is killed with everything that it started', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'davit-notifier-'));
  const script = `sleep 1000 & echo $! > ${folder}/pid.new; mv ${folder}/pid.new ${folder}/pid; wait`;
  const abort = new AbortController();
  const trying = failureOf(shell(script).deliver(sampleNotification(), abort.signal));
  await until('it runs', () => existsSync(join(folder, 'pid')));
  abort.abort();
  assert.ok((await trying).retry);
  const pid = Number(await readFile(join(folder, 'pid'), 'utf8'));
  await until('it is gone', () => !isRunning(pid));
});

test('a command that is missing is told and may come', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'davit-notifier-'));
  const file = join(folder, 'tell');
  const exec = new Exec({ name: 'run', command: [file], timeout: 60_000, run });
  await assert.rejects(exec.deliver(sampleNotification(), never), /tell/);
  await writeFile(file, '#!/bin/sh\n', { mode: 0o755 });
  assert.equal((await exec.deliver(sampleNotification(), never)).outcome, 'exit code 0');
});
