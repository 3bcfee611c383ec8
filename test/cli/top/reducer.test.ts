import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Binding, bindings } from '../../../src/cli/top/keys.ts';
import { listed } from '../../../src/cli/top/list_picture.ts';
import { render } from '../../../src/cli/top/picture.ts';
import type { TopEvent } from '../../../src/cli/top/reducer.ts';
import type { TopState } from '../../../src/cli/top/state.ts';
import type { Why } from '../../../src/contract/why.ts';
import {
  after,
  logLinesFrom,
  logPage,
  many,
  plain,
  service,
  services,
  stateWith,
  statsWith,
  typing,
} from './states.ts';

const everything = { grep: null, level: null };
const why: Why = {
  service: 'web',
  state: 'running',
  instance: null,
  release: 1,
  sentence: 'web is running',
  chain: [],
  chain_ends: 'begin',
  before: [],
  last_lines: [],
};
const details = { why, instances: [], deployments: [] };

function manyServices(count: number): TopState {
  return stateWith({
    frame: { stats: statsWith({ services: many(count) }), history: new Map(), lost: null },
  });
}

function seen(shown: readonly ReturnType<typeof service>[]): TopEvent {
  return {
    kind: 'seen',
    frame: { stats: statsWith({ services: [...shown] }), history: new Map(), lost: null },
  };
}

/** With the logs of web opened, and lines of it. */
function inLogs(from: number, to: number): TopState {
  const { state } = typing(stateWith({ selected: 'web' }), 'l');
  return after(state, { kind: 'logs_opened', filter: everything, page: logPage(from, to) }).state;
}

for (const [view, table] of Object.entries(bindings) as [string, Record<string, Binding>][]) {
  test(`no key does two things in ${view}`, () => {
    const keys = Object.values(table).flatMap((binding) => binding.keys);
    assert.equal(new Set(keys).size, keys.length);
  });
}

test('nothing is selected until somebody moves, and then the service stays selected wherever it goes', () => {
  assert.equal(stateWith().selected, null);
  const { state } = typing(stateWith(), 'down');
  assert.deepEqual([state.selected, state.position], ['web', 1]);
  const { state: later } = after(state, seen([service('web', { cpu_cores: 9 }), ...services.slice(1)]));
  assert.deepEqual([later.selected, later.position], ['web', 0]);
});

for (const [keys, selected] of [
  [['down', 'j'], 'worker'],
  [['down', 'down', 'down', 'down'], 'worker'],
  [['end', 'k'], 'web'],
  [['G'], 'worker'],
  [['G', 'up', 'up', 'up'], 'api'],
  [['G', 'g'], null],
  [['G', 'home'], null],
  [['pagedown'], 'worker'],
  [['pagedown', 'pageup'], 'api'],
] as const) {
  test(`${keys.join(', ')} selects ${selected ?? 'whatever comes first'}`, () => {
    assert.equal(typing(stateWith(), ...keys).state.selected, selected);
  });
}

test('the list scrolls as far as is needed to show what is selected', () => {
  const { state } = typing(manyServices(50), 'end');
  assert.deepEqual([state.position, state.offset], [49, 33]);
  assert.equal(typing(state, 'up').state.offset, 33);
  assert.equal(typing(state, 'pageup').state.position, 32);
  assert.equal(typing(state, 'pageup').state.offset, 32);
  assert.equal(typing(state, 'g').state.offset, 0);
});

test('more room shows more of the list, and never an empty end of it', () => {
  const { state } = after(typing(manyServices(50), 'end').state, {
    kind: 'resized',
    room: { columns: 80, rows: 40 },
  });
  assert.equal(state.offset, 17);
});

test('a service that is gone leaves the selection to what comes in its place', () => {
  const { state } = after(typing(stateWith(), 'down').state, seen([service('api'), service('worker')]));
  assert.equal(state.selected, 'worker');
  assert.equal(after(state, seen([])).state.selected, null);
});

test('a filter works as it is typed, on names and states; Enter keeps it and Escape ends it', () => {
  const { state } = typing(stateWith(), '/', 'W');
  assert.deepEqual(
    listed(state).map((each) => each.service),
    ['web', 'worker'],
  );
  assert.deepEqual(
    listed(typing(state, 'o').state).map((each) => each.service),
    ['worker'],
  );
  assert.deepEqual(
    listed(typing(stateWith(), '/', ...'fail').state).map((each) => each.service),
    ['worker'],
  );
  assert.equal(typing(state, 'x', 'backspace').state.filter, 'W');
  assert.equal(typing(state, 'ctrl+u').state.filter, '');
  const { state: kept } = typing(state, 'return', 'down');
  assert.deepEqual([kept.prompt, kept.filter, kept.selected], [null, 'W', 'worker']);
  assert.equal(typing(kept, 'escape').state.filter, '');
  assert.deepEqual([typing(state, 'escape').state.filter, typing(state, 'escape').state.prompt], ['', null]);
});

test('what is typed into a filter is no command, and no key that types nothing gets into it', () => {
  const { state, effects } = typing(stateWith(), '/', 'q', 'r', 'x', 'up', 'pagedown', 'ctrl+a', '/', ' ');
  assert.equal(state.filter, 'qrx/ ');
  assert.deepEqual(effects, []);
});

test('s goes through every order', () => {
  const seenOrders = ['s', 's', 's', 's', 's', 's', 's'].map(
    (_, index) => typing(stateWith(), ...Array.from({ length: index + 1 }, () => 's')).state.order,
  );
  assert.deepEqual(seenOrders, ['memory', 'requests', 'errors', 'restarts', 'state', 'name', 'cpu']);
});

for (const [key, operation] of [
  ['r', 'restart'],
  ['x', 'stop'],
] as const) {
  test(`${key} asks, and ${operation}s the service that was asked about, once somebody says yes`, () => {
    const { state, effects } = typing(stateWith(), 'down', key);
    assert.deepEqual(state.prompt, { kind: 'question', operation, service: 'web' });
    assert.deepEqual(effects, []);
    const moved = after(state, seen([service('web', { cpu_cores: 99 }), service('api')])).state;
    const done = typing(moved, 'y');
    assert.deepEqual(done.effects, [{ kind: 'operate', operation, service: 'web' }]);
    assert.equal(done.state.under_way.get('web'), operation);
    assert.equal(done.state.prompt, null);
  });

  for (const no of ['n', 'escape', 'return', 'q', ' ']) {
    test(`${no === ' ' ? 'a space' : no} after ${key} is no`, () => {
      const { state, effects } = typing(stateWith(), key, no);
      assert.deepEqual([state.prompt, effects, state.under_way.size], [null, [], 0]);
    });
  }
}

test('the service that a question is about stays selected, also where nobody had selected it', () => {
  assert.equal(typing(stateWith(), 'r').state.selected, 'api');
});

test('u starts a service without a question', () => {
  assert.deepEqual(typing(stateWith(), 'u').effects, [
    { kind: 'operate', operation: 'start', service: 'api' },
  ]);
});

test('what is under way is not asked for again; its outcome is told until the next key, and is looked at at once', () => {
  const started = typing(stateWith(), 'u');
  const again = typing(started.state, 'u');
  assert.deepEqual(again.effects, []);
  assert.match(again.state.note?.text ?? '', /start of api is still under way/);
  const note = { text: 'api: started', isError: false };
  const ended = after(again.state, { kind: 'operated', service: 'api', note });
  assert.deepEqual(
    [ended.state.note, ended.state.under_way.size, ended.effects],
    [note, 0, [{ kind: 'look' }]],
  );
  assert.deepEqual(ended.state.frame, started.state.frame);
  assert.equal(typing(ended.state, 'down').state.note, null);
});

test('where there is no service, keys for one say so', () => {
  for (const key of ['r', 'x', 'u', 'l', 'd', 'return']) {
    const { state, effects } = typing(manyServices(0), key);
    assert.match(state.note?.text ?? '', /no service/);
    assert.deepEqual([effects, state.view.kind, state.prompt], [[], 'list', null]);
  }
});

test('q ends it in every view, and not while something is typed, asked or explained', () => {
  for (const state of [stateWith(), inLogs(0, 9), typing(stateWith(), 'd').state])
    assert.deepEqual(typing(state, 'q').effects, [{ kind: 'quit' }]);
  for (const key of ['/', '?', 'r']) assert.deepEqual(typing(stateWith(), key, 'q').effects, []);
});

test('? explains the keys until any key', () => {
  const { state } = typing(stateWith(), '?');
  assert.deepEqual(state.prompt, { kind: 'help' });
  assert.equal(typing(state, 'x').state.prompt, null);
});

test('Enter opens the logs, which are followed from their newest lines; Escape closes them', () => {
  const opened = typing(stateWith({ selected: 'web' }), 'return');
  assert.deepEqual(opened.effects, [{ kind: 'open_logs', service: 'web', filter: everything }]);
  const { state } = after(opened.state, { kind: 'logs_opened', filter: everything, page: logPage(0, 3) });
  const { state: later } = after(state, { kind: 'logs_written', lines: logLinesFrom(3, 5) });
  assert.ok(later.view.kind === 'logs');
  assert.deepEqual([later.view.lines.length, later.view.anchor], [5, null]);
  const closed = typing(later, 'escape');
  assert.deepEqual([closed.state.view, closed.effects], [{ kind: 'list' }, [{ kind: 'close_logs' }]]);
  assert.equal(
    after(closed.state, { kind: 'logs_written', lines: logLinesFrom(5, 6) }).state.view.kind,
    'list',
  );
});

test('logs that cannot be opened leave the list where it was, and say why', () => {
  const { state } = typing(stateWith(), 'l');
  const failed = after(state, { kind: 'logs_failed', failure: 'the key may not' }).state;
  assert.deepEqual([failed.view.kind, failed.note], ['list', { text: 'the key may not', isError: true }]);
});

for (const key of ['p', ' ', 'up', 'k', 'pageup', 'ctrl+b', 'home', 'g']) {
  test(`"${key}" lets the logs stand still, and f follows them again`, () => {
    const { state } = typing(inLogs(0, 200), key);
    assert.ok(state.view.kind === 'logs' && state.view.anchor !== null);
    const before = render(state, plain(80)).slice(1, -1);
    const later = after(state, { kind: 'logs_written', lines: logLinesFrom(200, 300) }).state;
    assert.deepEqual(render(later, plain(80)).slice(1, -1), before);
    const following = typing(later, 'f').state;
    assert.ok(following.view.kind === 'logs' && following.view.anchor === null);
    assert.equal(render(following, plain(80)).at(-2), 'line 299');
  });
}

test('of lines that were not kept, following asks for the newest again', () => {
  const { state } = after(typing(inLogs(0, 200), 'p').state, {
    kind: 'logs_written',
    lines: logLinesFrom(200, 6_000),
  });
  assert.deepEqual(typing(state, 'f').effects, [{ kind: 'open_logs', service: 'web', filter: everything }]);
  assert.deepEqual(typing(state, ' ').effects, [{ kind: 'open_logs', service: 'web', filter: everything }]);
});

test('logs of which nothing comes any more say so, and are asked for again when somebody follows them', () => {
  const { state } = after(inLogs(0, 5), { kind: 'logs_ended', failure: 'there is no service "web"' });
  assert.deepEqual(state.note, { text: 'there is no service "web"; f follows again', isError: true });
  assert.match(render(state, plain(80))[0] ?? '', /^logs of web {2}ended/);
  assert.deepEqual(typing(state, 'f').effects, [{ kind: 'open_logs', service: 'web', filter: everything }]);
});

test('who looks at a service is told once that it is gone', () => {
  for (const state of [inLogs(0, 5), typing(stateWith({ selected: 'web' }), 'd').state]) {
    const gone = after(state, seen([service('api')])).state;
    assert.deepEqual(gone.note, { text: 'There is no service "web" any more.', isError: true });
    assert.equal(after(typing(gone, 'down').state, seen([service('api')])).state.note, null);
  }
});

test('a page up shows the lines before, with the highest once more, and a page down leads back', () => {
  const state = inLogs(0, 200);
  const top = render(typing(state, 'p').state, plain(80))[1];
  const up = typing(state, 'pageup').state;
  assert.equal(render(up, plain(80)).at(-2), top);
  assert.equal(render(typing(up, 'pagedown').state, plain(80)).at(-2), 'line 199');
  assert.equal(render(typing(state, 'home').state, plain(80))[1], 'line 0');
});

test('who comes near the oldest line gets those before, and is asked for only once', () => {
  const state = inLogs(500, 1_000);
  const asked = typing(state, 'home');
  assert.equal(asked.effects.length, 1);
  const [effect] = asked.effects;
  assert.ok(effect?.kind === 'older_logs' && effect.view.before === '500');
  assert.deepEqual(typing(asked.state, 'home', 'up').effects, []);
  const got = after(asked.state, { kind: 'older_logs', page: logPage(0, 500) }).state;
  assert.equal(render(got, plain(80))[1], 'line 500');
  assert.equal(render(typing(got, 'up').state, plain(80))[1], 'line 499');
  assert.deepEqual(typing(got, 'home').effects, []);
});

test('a regular expression is asked of the agent; what was shown stays until it has answered, or if it is wrong', () => {
  const state = inLogs(0, 50);
  const typed = typing(state, '/', 'a', '[', 'return');
  assert.deepEqual(typed.effects, [
    { kind: 'open_logs', service: 'web', filter: { grep: 'a[', level: null } },
  ]);
  assert.deepEqual(typed.state.view, state.view);
  const failed = after(typed.state, { kind: 'logs_failed', failure: 'missing closing ]' }).state;
  assert.deepEqual(failed.view, state.view);
  assert.deepEqual(failed.note, { text: 'missing closing ]', isError: true });
  const good = after(typed.state, {
    kind: 'logs_opened',
    filter: { grep: 'a[', level: null },
    page: logPage(0, 2),
  }).state;
  assert.deepEqual(typing(good, '/').state.prompt, { kind: 'grep', text: 'a[' });
  assert.deepEqual(typing(good, '/', 'ctrl+u', 'return').effects.at(-1), {
    kind: 'open_logs',
    service: 'web',
    filter: everything,
  });
  assert.deepEqual(typing(good, '/', 'x', 'escape').effects, []);
});

test('e asks for the next level, and keeps the expression', () => {
  const filter = { grep: 'a', level: 'debug' } as const;
  const { state } = after(inLogs(0, 5), { kind: 'logs_opened', filter, page: logPage(0, 5) });
  assert.deepEqual(typing(state, 'e').effects, [
    { kind: 'open_logs', service: 'web', filter: { grep: 'a', level: 'info' } },
  ]);
});

test('details are asked for, and again with each look, and only those of the service that is shown are taken', () => {
  const { state, effects } = typing(stateWith({ selected: 'web' }), 'd');
  assert.deepEqual(effects, [{ kind: 'look_closer', service: 'web' }]);
  assert.deepEqual(after(state, seen(services)).effects, effects);
  const other = after(state, { kind: 'seen_closer', service: 'api', details }).state;
  assert.deepEqual(other.view, state.view);
  const got = after(state, { kind: 'seen_closer', service: 'web', details }).state;
  assert.ok(got.view.kind === 'details' && got.view.details === details);
  const failed = after(got, { kind: 'not_seen_closer', service: 'web', failure: 'no' }).state;
  assert.ok(
    failed.view.kind === 'details' && failed.view.details === details && failed.view.failure === 'no',
  );
  for (const key of ['escape', 'd']) assert.equal(typing(got, key).state.view.kind, 'list');
  assert.equal(typing(got, 'l').state.view.kind, 'logs');
});

test('from the logs one comes to the details, which ends the logs', () => {
  const { state, effects } = typing(inLogs(0, 5), 'd');
  assert.equal(state.view.kind, 'details');
  assert.deepEqual(effects, [{ kind: 'close_logs' }, { kind: 'look_closer', service: 'web' }]);
});

test('in logs and details, keys are for the service that is shown', () => {
  for (const state of [inLogs(0, 5), typing(stateWith({ selected: 'web' }), 'd').state]) {
    const elsewhere = { ...state, selected: 'api' };
    assert.deepEqual(typing(elsewhere, 'r').state.prompt, {
      kind: 'question',
      operation: 'restart',
      service: 'web',
    });
    assert.deepEqual(typing(elsewhere, 'x').state.prompt, {
      kind: 'question',
      operation: 'stop',
      service: 'web',
    });
    assert.deepEqual(typing(elsewhere, 'u').effects, [
      { kind: 'operate', operation: 'start', service: 'web' },
    ]);
  }
});

test('whatever is typed and happens, the picture has its size and keys are for a service that is shown', () => {
  const known = Object.values(bindings).flatMap((table: Record<string, Binding>) =>
    Object.values(table).flatMap((binding) => binding.keys),
  );
  const key = fc
    .constantFrom(...known, 'y', 'n', 'a', 'backspace', 'ctrl+u')
    .map((name): TopEvent => ({ kind: 'key', key: name }));
  const facts = fc.oneof(
    fc.integer({ min: 0, max: 60 }).map((count) => seen(many(count))),
    fc
      .record({ columns: fc.integer({ min: 20, max: 200 }), rows: fc.integer({ min: 1, max: 50 }) })
      .map((room): TopEvent => ({ kind: 'resized', room })),
    fc
      .integer({ min: 1, max: 900 })
      .map((count): TopEvent => ({ kind: 'logs_written', lines: logLinesFrom(0, count) })),
    fc.constantFrom<TopEvent>(
      { kind: 'logs_opened', filter: everything, page: logPage(500, 1_000) },
      { kind: 'older_logs', page: logPage(0, 500) },
      { kind: 'logs_failed', failure: 'it failed' },
      { kind: 'logs_ended', failure: 'it ended' },
      { kind: 'seen_closer', service: 's01', details },
      { kind: 'operated', service: 's01', note: { text: 'a long outcome '.repeat(30), isError: true } },
    ),
  );
  fc.assert(
    fc.property(fc.array(fc.oneof({ weight: 3, arbitrary: key }, facts), { maxLength: 60 }), (events) => {
      let state = manyServices(30);
      for (const event of events) {
        state = after(state, event).state;
        const lines = render(state, plain(state.room.columns));
        assert.equal(lines.length, state.room.rows);
        assert.ok(lines.every((line) => line.length <= state.room.columns));
        const ids = listed(state).map((each) => each.service);
        assert.ok(state.selected === null || ids.includes(state.selected));
        assert.ok(state.position >= state.offset && (ids.length === 0 || state.position < ids.length));
      }
    }),
    { numRuns: 200 },
  );
});
