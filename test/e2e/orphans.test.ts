import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { Orphan } from '../../src/contract/processes.ts';
import { type Answer, davitCommand, type RunningAgent, startAgent } from '../helpers/agent.ts';
import { fixture } from '../helpers/processes.ts';
import { isRunning, markOf, until, untilGone } from '../helpers/system.ts';

const isRoot = process.getuid?.() === 0;
let data: string;
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'davit-test-'));
});
afterEach(() => rmSync(data, { recursive: true, force: true }));

/** Takes away all that an agent knows of its services. */
function forgetState(): void {
  for (const name of readdirSync(data)) {
    if (/^(davit\.db|backups)/.test(name)) rmSync(join(data, name), { recursive: true });
  }
}

async function deploy(agent: RunningAgent, service: string, command: unknown): Promise<number> {
  const { status, body } = await agent.call('POST', `/service/${service}/deploy`, {
    command,
    min_uptime: '0s',
  });
  assert.equal(status, 200, JSON.stringify(body));
  return body.pid;
}

async function orphansOf(agent: RunningAgent): Promise<Orphan[]> {
  return (await agent.call('GET', '/api/v1/orphans')).body.orphans;
}

function instanceOf(pid: number): string {
  return markOf(pid).replace('DAVIT_INSTANCE_ID=', '');
}

for (const [cgroups, script] of [
  ['auto', 'setsid_child_without_environment.sh'],
  ['off', 'setsid_child.sh'],
] as const) {
  test(`what a lost state left is shown, kept, and ended whole when somebody asks, cgroups: ${cgroups}`, async () => {
    const config = { cgroups };
    const first = await startAgent({ data, config });
    const pid = await deploy(first, 'web', fixture(script));
    const path = '/api/v1/services/web/processes';
    const { processes } = await first.until('GET', path, ({ process_count }) => process_count === 3);
    const pids = processes.map((process: { pid: number }) => process.pid);
    const instance_id = instanceOf(pid);
    await first.end('SIGKILL');
    forgetState();

    await using second = await startAgent({ data, config });
    await second.logged(({ msg }) =>
      /^1 instance runs that no service has: see davit orphans/.test(String(msg)),
    );
    const [orphan, ...others] = await orphansOf(second);
    assert.equal(others.length, 0);
    assert.deepEqual([orphan?.instance_id, orphan?.service, orphan?.release], [instance_id, 'web', 1]);
    assert.deepEqual(
      orphan?.processes.map((process) => [process.pid, process.role]),
      [
        [pids[0], 'wrapper'],
        [pids[1], 'main'],
        [pids[2], 'descendant'],
      ],
    );
    assert.equal(orphan?.started_at, orphan?.processes[0]?.started_at);
    assert.match((await second.call('GET', '/api/v1/agent')).body.warnings.join(), /1 instance runs/);
    assert.deepEqual(pids.filter(isRunning), pids);

    const { status, body } = await second.call('POST', `/api/v1/orphans/${instance_id}/stop`);
    assert.equal(status, 200, JSON.stringify(body));
    assert.deepEqual([body.instance_id, body.service, body.stop.survivors], [instance_id, 'web', []]);
    assert.deepEqual(pids.filter(isRunning), []);
    assert.deepEqual(await orphansOf(second), []);
    assert.doesNotMatch((await second.call('GET', '/api/v1/agent')).body.warnings.join(), /no service has/);
    const { events } = (await second.call('GET', '/api/v1/events?type=orphan.stopped')).body;
    assert.deepEqual([events.length, events[0].service, events[0].message], [1, 'web', body.message]);
    assert.match(events[0].actor, /^key:/);
    const again = await second.call('POST', `/api/v1/orphans/${instance_id}/stop`);
    assert.deepEqual([again.status, again.body.code], [404, 'orphan_not_found']);
  });
}

test('an orphan that takes no notice of SIGTERM is killed', async () => {
  const first = await startAgent({ data, config: { cgroups: 'off' } });
  const pid = await deploy(first, 'web', fixture('ignores_sigterm.sh'));
  const instance_id = instanceOf(pid);
  await first.end('SIGKILL');
  forgetState();
  await using second = await startAgent({ data, config: { cgroups: 'off' } });
  const { body } = await second.call('POST', `/api/v1/orphans/${instance_id}/stop`);
  assert.equal(body.stop.ended_by, 'kill');
  assert.equal(isRunning(pid), false);
});

test('neither an instance of a service, nor one of another agent, nor anything else can be ended as an orphan', async (t) => {
  await using agent = await startAgent({ data });
  await using other = await startAgent();
  const own = await deploy(agent, 'own', 'exec sleep 1000');
  const foreign = await deploy(other, 'foreign', 'exec sleep 1000');
  const prefix = instanceOf(own).slice(0, 8);
  const forged = spawn('sleep', ['1000'], {
    env: { DAVIT_INSTANCE_ID: `${prefix}-x`, DAVIT_SERVICE: 'own' },
  });
  t.after(() => forged.kill('SIGKILL'));
  assert.deepEqual(await orphansOf(agent), []);
  for (const id of [instanceOf(own), instanceOf(foreign)]) {
    const { status, body } = await agent.call('POST', `/api/v1/orphans/${id}/stop`);
    assert.deepEqual([status, body.code], [404, 'orphan_not_found']);
  }
  for (const id of [`${prefix}-x`, String(own), '..%2F..%2Fkeys']) {
    assert.equal((await agent.call('POST', `/api/v1/orphans/${id}/stop`)).status, 400);
  }
  assert.deepEqual([own, foreign, Number(forged.pid)].map(isRunning), [true, true, true]);
});

test('what carries the mark of an agent at the same path of another file system is not ours', {
  skip: isRoot ? false : 'needs a mount of its own',
}, async (t) => {
  await using agent = await startAgent({ data });
  const own = await deploy(agent, 'own', 'exec sleep 1000');
  const id = () => `${instanceOf(own).slice(0, 8)}-${randomUUID()}`;
  const start = (script: string, DAVIT_INSTANCE_ID: string) => {
    const child = spawn('unshare', ['-m', 'sh', '-c', `${script} echo ready; exec sleep 1000`], {
      env: {
        PATH: process.env['PATH'],
        DAVIT_INSTANCE_ID,
        DAVIT_SERVICE: 'Not A Service',
        DAVIT_RELEASE: 'x',
      },
    });
    t.after(() => child.kill('SIGKILL'));
    return new Promise<number>((resolve) => child.stdout.once('data', () => resolve(Number(child.pid))));
  };
  const [ours, theirs] = [id(), id()];
  const pid = await start('', ours);
  const foreign = await start(`mount -t tmpfs none '${join(data, 'instances')}';`, theirs);
  const orphans = await orphansOf(agent);
  assert.deepEqual(
    orphans.map(({ instance_id, service, release }) => [instance_id, service, release]),
    [[ours, null, null]],
  );
  assert.equal((await agent.call('POST', `/api/v1/orphans/${theirs}/stop`)).status, 404);
  assert.equal((await agent.call('POST', `/api/v1/orphans/${ours}/stop`)).status, 200);
  assert.deepEqual([pid, foreign, own].map(isRunning), [false, true, true]);
});

test('what is being started or stopped is never an orphan', async () => {
  await using agent = await startAgent({ data });
  let isDone = false;
  const seen: Orphan[] = [];
  const look = async () => {
    while (!isDone) seen.push(...(await orphansOf(agent)));
  };
  const watch = look();
  for (let round = 0; round < 5; round++) {
    const services = ['a', 'b', 'c', 'd'];
    await Promise.all(services.map((service) => deploy(agent, service, 'sleep 1000 & exec sleep 1000')));
    await Promise.all(services.slice(2).map((service) => agent.call('POST', `/service/${service}/stop`)));
  }
  isDone = true;
  await watch;
  assert.deepEqual(seen, []);
});

test('an orphan inside of which the agent itself runs is shown, and not ended', async () => {
  const first = await startAgent({ data });
  const go = join(data, 'go');
  const agentCommand = [...davitCommand, 'agent', '--data', data, '--listen', '127.0.0.1:0'].join(' ');
  const pid = await deploy(
    first,
    'inside',
    `while ! [ -e ${go} ]; do sleep 0.05; done; ${agentCommand}; exit`,
  );
  const instance_id = instanceOf(pid);
  const { child } = first;
  await first.end('SIGKILL');
  forgetState();
  const described = join(data, 'agent.json');
  writeFileSync(go, '');
  const describe = () => (existsSync(described) ? JSON.parse(readFileSync(described, 'utf8')) : {});
  await until('the agent inside listens', () => describe().pid !== undefined && describe().pid !== child.pid);
  const { url, pid: inside } = describe();
  try {
    const authorization = `Bearer ${readFileSync(join(data, 'admin.key'), 'utf8').trim()}`;
    const ask = async (method: string, path: string): Promise<Answer['body']> =>
      (await fetch(url + path, { method, headers: { authorization } })).json();
    const { orphans } = await ask('GET', '/api/v1/orphans');
    assert.deepEqual(
      orphans.map((orphan: Orphan) => [orphan.instance_id, orphan.service]),
      [[instance_id, 'inside']],
    );
    const { code } = await ask('POST', `/api/v1/orphans/${instance_id}/stop`);
    assert.equal(code, 'state_conflict');
    assert.deepEqual([isRunning(inside), isRunning(pid)], [true, true]);
  } finally {
    process.kill(inside, 'SIGKILL');
    await untilGone(inside);
  }
});
