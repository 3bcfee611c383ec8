import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { AgentMeter } from '../../src/metrics/agent_usage.ts';
import { HostReader } from '../../src/metrics/host_usage.ts';
import { Sampler } from '../../src/metrics/sampler.ts';
import { newInstance } from '../../src/services/instance.ts';
import type { Service } from '../../src/services/service.ts';
import { launchFixture } from '../helpers/processes.ts';
import { until } from '../helpers/system.ts';

const linuxOnly = { skip: process.platform === 'linux' ? false : 'reads /proc' };

/** A registry that holds these services, of which only id and instances matter here. */
function registryOf(...services: Pick<Service, 'id' | 'instances'>[]) {
  return { services: () => services as Service[] };
}

test('a look tells the host, the agent, and every instance that has a process', linuxOnly, async (t) => {
  const tree = await launchFixture(t, 'forks_children.sh');
  await tree.children(3);
  const { identity, instance_id, pid: main_pid } = tree;
  const facts = { ...identity, instance_id, control_group: null, main_pid, release: 4, started_at: 1_000 };
  const instances = [newInstance(1), { ...newInstance(2), process: facts }];
  const router = {
    id: 'davit.router',
    instances: [{ ...newInstance(1), process: { ...facts, instance_id: 'gone', boot_id: 'earlier' } }],
  };
  const sampler = new Sampler({
    registry: registryOf({ id: 'web', instances }, router),
    directory: tmpdir(),
  });
  sampler.begin();
  const before = Date.now();
  const tick = await sampler.look();
  sampler.close();
  assert.ok(tick.at >= before && tick.at <= Date.now());
  assert.ok(tick.duration_ms > 0);
  assert.ok((tick.host?.disk.total ?? 0) > 0);
  assert.ok((tick.host?.memory.total ?? 0) > 0);
  assert.ok(tick.agent.resident_bytes > 1e6);
  assert.ok(tick.agent.cpu_seconds > 0);
  assert.ok(tick.agent.open_files > 0);
  const [usage, ...others] = tick.instances;
  assert.deepEqual(others, []);
  const { service, instance, release, instance_id: id, started_at, processes } = usage ?? assert.fail();
  assert.deepEqual(
    { service, instance, release, id, started_at, processes },
    { service: 'web', instance: 2, release: 4, id: instance_id, started_at: 1_000, processes: 5 },
  );
});

test('the host is told also where the data directory is not there', linuxOnly, async () => {
  const usage = await new HostReader('/nowhere/at/all').read();
  assert.deepEqual(usage?.disk, { total: 0, available: 0, files_free: 0 });
});

test('how long work had to wait is told once', async () => {
  const meter = new AgentMeter();
  meter.begin();
  try {
    await until('work had to wait while the loop was watched', async () => {
      await sleep(150);
      const end = performance.now() + 400;
      while (performance.now() < end);
      await sleep(150);
      return meter.read().event_loop_lag.max > 0.1;
    });
    assert.equal(meter.read().event_loop_lag.max, 0);
  } finally {
    meter.close();
  }
});
