import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Schedule } from '../../src/contract/policies.ts';
import { spec } from '../../src/contract/spec.ts';
import { Registry } from '../../src/services/registry.ts';
import { RunHistory } from '../../src/services/run_history.ts';
import { migrations } from '../../src/services/schema.ts';
import { ServiceStore } from '../../src/services/store.ts';
import { Scheduler } from '../../src/supervision/scheduler.ts';

const midnight = Date.parse('2026-06-01T00:00:00.000Z');
const minute = 60_000;

/** A scheduler on a clock that the test sets, with tasks that run until the test ends them. */
async function newPlan(context: TestContext, awakeUntil: Date | null = null) {
  // Timers go by a clock that nobody sets; the one on the wall is another, and jumps.
  context.mock.timers.enable({ apis: ['setTimeout'] });
  let wall = midnight;
  context.mock.method(Date, 'now', () => wall);
  const database = new DatabaseSync(':memory:');
  for (const migration of migrations) database.exec(migration);
  const problems: string[] = [];
  const onProblem = (message: string) => problems.push(message);
  const registry = new Registry(new ServiceStore(database, () => {}), onProblem);
  const history = new RunHistory(database, onProblem);
  const running = new Set<string>();
  const did: string[] = [];
  let failure: Error | null = null;
  const scheduler = new Scheduler({
    registry,
    isRunning: (id) => running.has(id),
    run: async (id, scheduledFor) => {
      await turn();
      did.push(`run ${id} for ${scheduledFor.toISOString().slice(11, 19)}`);
      if (failure) throw failure;
      running.add(id);
    },
    stopRun: async (id) => {
      did.push(`stop ${id}`);
      await turn();
      if (failure) throw failure;
      running.delete(id);
    },
    lastDue: (id) => history.lastDue(id),
    onNotRun: (noted) => history.noted(noted),
    onProblem,
  });
  const add = (id: string, cron: string, overlap: Schedule['overlap'] = 'skip') => {
    const schedule = { cron, time_zone: 'UTC', overlap };
    registry.create(id, spec.parse({ command: 'x', type: 'task', schedule }), 'create', 'test');
    registry.update(id, { wanted: 'running' });
  };
  const settle = async () => {
    for (let count = 0; count < 10; count++) await turn();
  };
  context.after(() => {
    scheduler.close();
    registry.close();
    database.close();
  });
  return {
    registry,
    history,
    scheduler,
    did,
    running,
    problems,
    add,
    start: async () => {
      scheduler.start(awakeUntil);
      await settle();
    },
    fail: (error: Error | null) => {
      failure = error;
    },
    /** Lets time pass as a clock does, second by second. */
    pass: async (milliseconds: number) => {
      for (let passed = 0; passed < milliseconds; passed += 1_000) {
        wall += 1_000;
        context.mock.timers.tick(1_000);
        await settle();
      }
    },
    end: async (id: string) => {
      running.delete(id);
      registry.update(id, {});
      await settle();
    },
    notes: (id: string) =>
      history
        .list({ service: id, limit: 50 })
        .map(({ outcome, times, message }) => ({ outcome, times, message })),
    /** Sets the clock. */
    set: (time: number) => {
      wall = time;
    },
    settle,
  };
}

test('a task is run when it is due, each time', async (context) => {
  const { add, start, pass, end, did } = await newPlan(context);
  add('hourly', '0 * * * *');
  await start();
  await pass(59 * minute + 59_000);
  assert.deepEqual(did, []);
  await pass(1_000);
  await end('hourly');
  await pass(60 * minute);
  assert.deepEqual(did, ['run hourly for 01:00:00', 'run hourly for 02:00:00']);
});

test('tasks that come, change or are stopped while it runs are followed', async (context) => {
  const { add, start, pass, end, did, registry, settle } = await newPlan(context);
  await start();
  add('a', '*/10 * * * *');
  await settle();
  await pass(10 * minute);
  await end('a');
  assert.deepEqual(did, ['run a for 00:10:00']);

  const changed = {
    ...registry.spec('a'),
    schedule: { cron: '*/15 * * * *', time_zone: 'UTC', overlap: 'skip' },
  };
  const release = registry.addRelease('a', spec.parse(changed), 'update', 'test');
  registry.update('a', { current_release: release });
  await settle();
  await pass(10 * minute);
  assert.deepEqual(did.splice(0), ['run a for 00:10:00', 'run a for 00:15:00']);
  await end('a');

  registry.update('a', { wanted: 'stopped' });
  await settle();
  await pass(30 * minute);
  registry.update('a', { wanted: 'running' });
  await settle();
  await pass(15 * minute);
  assert.deepEqual(did, ['run a for 01:00:00']);
});

test('skip: what is due while one still runs is not run, and the history says so', async (context) => {
  const { add, start, pass, end, did, notes } = await newPlan(context);
  add('a', '* * * * *', 'skip');
  await start();
  await pass(3 * minute);
  assert.deepEqual(did, ['run a for 00:01:00']);
  assert.deepEqual(notes('a'), [
    { outcome: 'skipped', times: 2, message: 'the run before it had not ended' },
  ]);
  await end('a');
  assert.equal(did.length, 1);
  await pass(minute);
  assert.deepEqual(did, ['run a for 00:01:00', 'run a for 00:04:00']);
});

test('queue: one run waits for the end of the present one, and no more than one', async (context) => {
  const { add, start, pass, end, did, notes } = await newPlan(context);
  add('a', '* * * * *', 'queue');
  await start();
  await pass(3 * minute);
  assert.deepEqual(did, ['run a for 00:01:00']);
  assert.deepEqual(notes('a'), [
    { outcome: 'skipped', times: 1, message: 'the run before it had not ended' },
  ]);
  await end('a');
  assert.deepEqual(did, ['run a for 00:01:00', 'run a for 00:02:00']);
  await end('a');
  assert.equal(did.length, 2);
});

test('queue: what waits is dropped when the service is stopped', async (context) => {
  const { add, start, pass, end, did, notes, registry, settle } = await newPlan(context);
  add('a', '* * * * *', 'queue');
  await start();
  await pass(2 * minute);
  registry.update('a', { wanted: 'stopped' });
  await settle();
  await end('a');
  assert.equal(did.length, 1);
  assert.match(notes('a')[0]?.message ?? '', /stopped before its turn/);
});

test('replace: the present run is ended for the next one', async (context) => {
  const { add, start, pass, did, running } = await newPlan(context);
  add('a', '* * * * *', 'replace');
  await start();
  await pass(2 * minute);
  assert.deepEqual(did, ['run a for 00:01:00', 'stop a', 'run a for 00:02:00']);
  assert.ok(running.has('a'));
});

test('replace: where the present run does not end, the next one is not run beside it', async (context) => {
  const { add, start, pass, did, notes, fail } = await newPlan(context);
  add('a', '* * * * *', 'replace');
  await start();
  await pass(minute);
  fail(new Error('it hangs'));
  await pass(minute);
  assert.deepEqual(did, ['run a for 00:01:00', 'stop a']);
  assert.match(notes('a')[0]?.message ?? '', /the run before it did not end: it hangs/);
});

test('replace: a run that came back while it was being ended is ended again', async (context) => {
  const { add, start, pass, did, running, notes } = await newPlan(context);
  add('a', '* * * * *', 'replace');
  await start();
  await pass(minute);
  // As an instance that its restart policy starts again in the same moment.
  context.mock.method(running, 'delete', () => false, { times: 1 });
  await pass(2 * minute);
  assert.deepEqual(did, ['run a for 00:01:00', 'stop a', 'stop a', 'run a for 00:03:00']);
  assert.match(notes('a')[0]?.message ?? '', /the next one was due before its turn came/);
});

test('a run that cannot be started stands in the history with the reason, and the next one is tried', async (context) => {
  const { add, start, pass, did, notes, fail } = await newPlan(context);
  add('a', '* * * * *');
  fail(new Error('no such file'));
  await start();
  await pass(2 * minute);
  assert.equal(did.length, 2);
  assert.deepEqual(
    notes('a').map(({ outcome }) => outcome),
    ['failed', 'failed'],
  );
  assert.match(notes('a')[0]?.message ?? '', /could not be started: no such file/);
});

test('after a long sleep of the host what is too late is missed, and what is due now is run', async (context) => {
  const { add, start, pass, did, notes, set } = await newPlan(context);
  add('late', '0 * * * *');
  add('now', '30 * * * *');
  await start();
  await pass(minute);
  set(midnight + 5.5 * 60 * minute + 20_000);
  await pass(minute);
  assert.deepEqual(did, ['run now for 05:30:00']);
  assert.deepEqual(
    notes('late').map(({ outcome, times }) => [outcome, times]),
    [['missed', 5]],
  );
  assert.deepEqual(
    notes('now').map(({ outcome, times }) => [outcome, times]),
    [['missed', 5]],
  );
});

test('what was due while no agent ran is missed; what was due within the last minute is run', async (context) => {
  const awakeUntil = new Date(midnight - 3 * 60 * minute - 30_000);
  const { add, start, did, notes } = await newPlan(context, awakeUntil);
  add('nightly', '30 23 * * *');
  add('hourly', '0 * * * *');
  await start();
  assert.deepEqual(did, ['run hourly for 00:00:00']);
  assert.deepEqual(
    notes('hourly').map(({ outcome, times }) => [outcome, times]),
    [['missed', 3]],
  );
  assert.deepEqual(
    notes('nightly').map(({ outcome, times }) => [outcome, times]),
    [['missed', 1]],
  );
});

test('what is known of a due time is not missed, also where nothing else happened since', async (context) => {
  const awakeUntil = new Date(midnight - 3 * 60 * minute - 30_000);
  const { add, start, did, notes, history } = await newPlan(context, awakeUntil);
  add('hourly', '0 * * * *');
  const scheduled_for = new Date(midnight - 60 * minute);
  history.noted({ service: 'hourly', scheduled_for, outcome: 'skipped', message: 'one still ran' });
  await start();
  assert.deepEqual(did, ['run hourly for 00:00:00']);
  assert.deepEqual(
    notes('hourly').map(({ outcome }) => outcome),
    ['skipped'],
  );
});

test('what waits when the agent ends is noted', async (context) => {
  const { add, start, pass, notes, scheduler } = await newPlan(context);
  add('a', '* * * * *', 'queue');
  await start();
  await pass(2 * minute);
  scheduler.close();
  assert.deepEqual(notes('a'), [
    { outcome: 'skipped', times: 1, message: 'the agent ended before its turn came' },
  ]);
});

test('what was missed of a schedule of each second over years is counted up to a bound', async (context) => {
  const { add, start, did, notes } = await newPlan(context, new Date('2020-01-01T00:00:00Z'));
  add('busy', '* * * * * *');
  await start();
  assert.deepEqual(did, ['run busy for 00:00:00']);
  const [missed] = notes('busy');
  assert.ok((missed?.times ?? 0) >= 1_000, String(missed?.times));
  assert.match(missed?.message ?? '', /more than are counted/);
});

test('a clock that is set back begins anew: no task waits for the time that it showed before', async (context) => {
  const { add, start, pass, end, did, set } = await newPlan(context);
  add('hourly', '0 * * * *');
  await start();
  set(Date.parse('2036-01-01T12:00:00Z'));
  await pass(minute);
  await end('hourly');
  did.splice(0);
  set(midnight + 30 * minute);
  await pass(30 * minute);
  assert.deepEqual(did, ['run hourly for 01:00:00']);
});

test('once it is closed nothing is run', async (context) => {
  const { add, start, pass, did, scheduler } = await newPlan(context);
  add('a', '* * * * *');
  await start();
  scheduler.close();
  await pass(2 * minute);
  assert.deepEqual(did, []);
});
