import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { spec } from '../../src/contract/spec.ts';
import { EventLog, type NewEvent } from '../../src/services/event_log.ts';
import { Registry } from '../../src/services/registry.ts';
import { migrations } from '../../src/services/schema.ts';
import { ServiceStore } from '../../src/services/store.ts';
import { concernedInstance, type LinesWanted, Why } from '../../src/supervision/why.ts';

function newWhy(context: TestContext) {
  const database = new DatabaseSync(':memory:');
  for (const migration of migrations) database.exec(migration);
  const problems: string[] = [];
  const onProblem = (message: string) => problems.push(message);
  const registry = new Registry(new ServiceStore(database, () => {}), onProblem);
  const events = new EventLog(database, onProblem);
  const asked: LinesWanted[] = [];
  let isBroken = false;
  const why = new Why({
    registry,
    events,
    lastLines: async (wanted) => {
      asked.push(wanted);
      if (isBroken) throw new Error('no such disk');
      return [{ time: '2026-01-01T00:00:00.000Z', stream: 'stderr', level: null, line: 'boom' }];
    },
    onProblem,
  });
  for (const id of ['web', 'db'])
    registry.create(id, spec.parse({ command: 'x', instances: id === 'web' ? 3 : 1 }), 'create', 'test');
  context.after(() => {
    events.flush();
    registry.close();
    database.close();
  });
  const note = (
    type: NewEvent['type'],
    fields: Omit<NewEvent, 'type' | 'message'> & { message?: string } = {},
  ) => events.record({ service: 'web', message: type, ...fields, type }).id;
  const tell = (question: Partial<Parameters<Why['tell']>[1]> = {}) =>
    why.tell('web', { instance: null, limit: 20, lines: 10, maySee: () => true, ...question });
  const sentences = async (question: Parameters<typeof tell>[0] = {}) =>
    (await tell(question)).chain.map(({ sentence }) => sentence);
  return {
    registry,
    events,
    database,
    asked,
    problems,
    note,
    tell,
    sentences,
    breakLogs: () => {
      isBroken = true;
    },
  };
}

test('the chain goes from the last change back along the causes, newest first', async (context) => {
  const { note, sentences, tell } = newWhy(context);
  note('service.started', { message: 'unrelated' });
  const deployed = note('deployment.started', {
    actor: 'key:abc',
    release: 7,
    message: 'Release 7 is tried',
  });
  const started = note('service.started', { instance: 1, release: 7, cause: deployed });
  const exited = note('service.exited', {
    instance: 1,
    cause: started,
    message: 'Process exited with code 1',
  });
  note('service.failed', { instance: 1, cause: exited, message: 'Instance 1 has failed' });
  assert.deepEqual(await sentences(), [
    'Instance 1 has failed',
    'Instance 1: Process exited with code 1',
    'Instance 1: service.started',
    'Release 7 is tried (by key:abc)',
  ]);
  const { chain_ends, before, release } = await tell();
  assert.equal(chain_ends, 'begin');
  assert.equal(release, 7);
  assert.deepEqual(
    before.map(({ sentence }) => sentence),
    ['unrelated'],
  );
});

test('what is no change of state starts no chain', async (context) => {
  const { note, sentences } = newWhy(context);
  note('service.stopped', { message: 'it was stopped' });
  note('service.updated');
  note('service.signalled');
  note('config.replaced');
  assert.deepEqual(await sentences(), ['it was stopped']);
});

test('the chain ends with what somebody asked for, and goes on within what they asked for', async (context) => {
  const { note, sentences, tell } = newWhy(context);
  const ran = note('service.started', { instance: 1, message: 'it ran' });
  const asked = note('service.stopping', { instance: 1, cause: ran, actor: 'key:a', message: 'SIGTERM' });
  const stopped = note('service.stopped', { instance: 1, cause: asked, actor: 'key:a', message: 'stopped' });
  const begun = note('service.starting', { instance: 1, cause: stopped, actor: 'key:a', message: 'begun' });
  note('service.started', { instance: 1, cause: begun, message: 'it runs' });
  assert.deepEqual(
    (await sentences()).map((sentence) => sentence.replace('Instance 1: ', '')),
    ['it runs', 'begun (by key:a)', 'stopped (by key:a)', 'SIGTERM (by key:a)'],
  );
  assert.equal((await tell()).before[0]?.event.message, 'it ran');
  const again = note('service.starting', { instance: 1, cause: stopped, actor: 'schedule', message: 'due' });
  note('service.exited', { instance: 1, cause: again, message: 'it ended' });
  assert.deepEqual(await sentences(), ['Instance 1: it ended', 'Instance 1: due (by its schedule)']);
});

test('what the agent did of itself has a cause like anything else', async (context) => {
  const { note, sentences } = newWhy(context);
  const lost = note('service.exited', { message: 'the host was restarted' });
  note('service.starting', { cause: lost, actor: 'agent', message: 'it was started' });
  assert.deepEqual(await sentences(), ['it was started (by the agent itself)', 'the host was restarted']);
});

test('changes that are not in the chain follow it, also those in between', async (context) => {
  const { note, tell } = newWhy(context);
  const begun = note('deployment.started');
  note('service.exited', { instance: 2, message: 'Process exited with code 7' });
  note('deployment.failed', { cause: begun });
  const { before } = await tell();
  assert.deepEqual(
    before.map(({ sentence }) => sentence),
    ['Instance 2: Process exited with code 7'],
  );
});

test('an instance is told by its own changes and by those of the service as a whole', async (context) => {
  const { note, sentences } = newWhy(context);
  note('service.exited', { instance: 2, message: 'two' });
  note('service.paused', { message: 'all' });
  note('service.started', { instance: 1, message: 'one' });
  assert.deepEqual(await sentences({ instance: 2 }), ['all']);
  assert.deepEqual(await sentences({ instance: 1 }), ['Instance 1: one']);
  await assert.rejects(sentences({ instance: 4 }), { code: 'instance_not_found' });
});

test('the chain goes on in another service, where who asks may read it', async (context) => {
  const { note, tell } = newWhy(context);
  const died = note('service.exited', { service: 'db', instance: 1, message: 'Process was killed' });
  note('service.waiting', { instance: 1, cause: died, message: 'Instance 1 waits for db' });
  const all = await tell();
  assert.deepEqual(
    all.chain.map(({ sentence }) => sentence),
    ['Instance 1 waits for db', 'db: Process was killed'],
  );
  const some = await tell({ maySee: (service) => service === 'web' });
  assert.equal(some.chain.length, 1);
  assert.equal(some.chain_ends, 'hidden');
  assert.ok(!JSON.stringify(some).includes('was killed'));
});

test('a chain whose beginning is not kept any more says so, and so does one that is too long', async (context) => {
  const { note, tell, database, events } = newWhy(context);
  let last = note('deployment.started');
  for (let count = 0; count < 30; count++) last = note('service.exited', { instance: 1, cause: last });
  const long = await tell({ limit: 5 });
  assert.deepEqual([long.chain.length, long.chain_ends], [5, 'limit']);
  assert.deepEqual(long.before, []);
  events.flush();
  database.prepare('DELETE FROM events WHERE id < ?').run(last - 2);
  const short = await tell();
  assert.deepEqual([short.chain.length, short.chain_ends], [3, 'forgotten']);
});

test('events that name each other as causes lead in no circle', async (context) => {
  const { note, tell, database, events } = newWhy(context);
  const first = note('service.started');
  const second = note('service.exited', { cause: first });
  events.flush();
  database.prepare('UPDATE events SET cause = ? WHERE id = ?').run(second, first);
  assert.equal((await tell({ limit: 100 })).chain.length, 2);
});

test('the last lines are those of the instance and the release that the chain is about', async (context) => {
  const { note, tell, asked, registry } = newWhy(context);
  note('service.exited', { instance: 2, release: 4 });
  const { last_lines } = await tell({ instance: 2, lines: 3 });
  assert.deepEqual(asked, [{ service: 'web', instance: 2, release: 4, lines: 3 }]);
  assert.equal(last_lines?.[0]?.line, 'boom');
  assert.equal(registry.get('web').current_release, 1);
});

test('logs that cannot be read keep nobody from the reason', async (context) => {
  const { note, tell, breakLogs, problems } = newWhy(context);
  note('service.exited', { instance: 1, message: 'it ended' });
  breakLogs();
  const { last_lines, chain } = await tell();
  assert.equal(last_lines, null);
  assert.equal(chain.length, 1);
  assert.match(problems[0] ?? '', /no such disk/);
});

test('a service of which no change is kept still says how it stands', async (context) => {
  const { tell } = newWhy(context);
  const { chain, chain_ends, sentence, state } = await tell();
  assert.deepEqual([chain, chain_ends, state], [[], 'begin', 'stopped']);
  assert.match(sentence, /^web is stopped/);
});

test('the instance that is worst off is the one that is told of', async (context) => {
  const { registry } = newWhy(context);
  const stand = (number: number, event: 'start' | 'started') => registry.advance('web', number, event);
  for (const number of [1, 2, 3]) {
    stand(number, 'start');
    stand(number, 'started');
  }
  assert.equal(concernedInstance(registry.get('web')), null);
  registry.updateInstance('web', 3, { readiness: 'unhealthy' });
  assert.equal(concernedInstance(registry.get('web')), 3);
  registry.updateInstance('web', 2, { has_logged_ready: false });
  assert.equal(concernedInstance(registry.get('web')), 3);
  assert.equal(concernedInstance(registry.get('db')), 1);
});
