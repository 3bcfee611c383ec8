import assert from 'node:assert/strict';
import { test } from 'node:test';
import { styleText } from 'node:util';
import fc from 'fast-check';
import { sparkline } from '../../../src/cli/sparkline.ts';
import type { Canvas } from '../../../src/cli/terminal.ts';
import { logText } from '../../../src/cli/text.ts';
import { bindings } from '../../../src/cli/top/keys.ts';
import { wholePicture } from '../../../src/cli/top/list_picture.ts';
import { openedLogs, withNewest } from '../../../src/cli/top/log_view.ts';
import { type TopOrder, topOrders } from '../../../src/cli/top/order.ts';
import { render } from '../../../src/cli/top/picture.ts';
import type { Details, TopFrame, TopState, View } from '../../../src/cli/top/state.ts';
import {
  after,
  history,
  logLine,
  logPage,
  many,
  plain,
  service,
  stateWith,
  statsWith,
  typing,
} from './states.ts';

function frame(change: Partial<TopFrame> = {}): TopFrame {
  return { stats: statsWith(), history, lost: null, ...change };
}

/** What a state looks like, with that much room. */
function picture(columns: number, rows: number, change: Partial<TopState> = {}): string[] {
  const { state } = after(stateWith(change), { kind: 'resized', room: { columns, rows } });
  return render(state, plain(columns));
}

function logsOf(lines: ReturnType<typeof logLine>[]): View {
  return withNewest(openedLogs('web'), { grep: null, level: null }, { ...logPage(0, 0), lines });
}

test('one picture has the host, the agent, sums and services, each with what it uses and small charts', () => {
  const lines = wholePicture(frame(), 'cpu', plain(Number.POSITIVE_INFINITY));
  assert.equal(lines[0], 'davit 1.2.3 on host.example.org, up 1m 30s');
  assert.equal(lines[1], 'host      CPU 50% ·········▁▅█  memory 25%  load 0.42  disk 75%');
  assert.equal(lines[2], 'agent     CPU 1.0%  memory 80MB  lag 12ms');
  assert.equal(lines[3], 'services  2 of 3 running  1 failed  2 alerts firing  24 req/s  3 restarts');
  assert.match(
    lines[5] ?? '',
    /^SERVICE +STATE +READY +CPU +MEMORY +OPEN +REQ\/S +ERRORS +RESTARTS +UPTIME$/,
  );
  assert.match(lines[7] ?? '', /^web +running +1\/2 +25% +·{7}▁▅█ +71MB +·{10} +4 +12 +1\.5% +0 +1h 2m$/);
  assert.match(lines[8] ?? '', /^worker +failed +0\/1 +- +·{10} +- +·{10} +0 +- +- +0 +-$/);
});

test('80 columns have what matters of each service, a mark at what is selected and at what failed, and the keys', () => {
  const lines = picture(80, 24);
  assert.match(lines[5] ?? '', /^ {3}SERVICE +STATE +READY +CPU▾ +MEMORY +OPEN +REQ\/S +ERRORS +UPTIME$/);
  assert.match(lines[6] ?? '', /^> {2}api +running +1\/2 +150% +2\.0MB +4 +12 +1\.5% +1h 2m *$/);
  assert.match(lines[7] ?? '', /^ {3}web +running/);
  assert.match(lines[8] ?? '', /^ ! worker +failed/);
  assert.equal(lines.length, 24);
  assert.match(lines[23] ?? '', /^by cpu {2}\? help {2}q quit {2}l logs .* r restart {2}x stop/);
});

test('40 columns keep name, state, CPU and memory; 200 have half an hour of charts', () => {
  assert.match(picture(40, 24)[5] ?? '', /^ {3}SERVICE +STATE +READY +CPU▾ +MEMORY$/);
  const wide = picture(200, 24);
  assert.match(wide[7] ?? '', /^ {3}web +running +1\/2 +25% +·{27}▁▅█ +71MB +·{30} +4 +12/);
});

test('alerts that fire are counted at their service, which is marked', () => {
  const stats = statsWith({ services: [service('web', { alerts_firing: 3 })] });
  const lines = picture(80, 24, { frame: frame({ stats }) });
  assert.match(lines[5] ?? '', /UPTIME +ALERTS$/);
  assert.match(lines[6] ?? '', /^>! web .* 3 *$/);
});

test('with few rows, services come first', () => {
  const lines = picture(80, 6);
  assert.match(lines[0] ?? '', /^davit/);
  assert.match(lines[1] ?? '', /SERVICE/);
  assert.match(lines[2] ?? '', /^> {2}api/);
});

test('services are sorted by what is asked for, and equal ones by name', () => {
  const order = (by: TopOrder) =>
    picture(80, 24, { order: by })
      .slice(6, 9)
      .map((line) => line.slice(3).split(' ')[0]);
  assert.deepEqual(order('cpu'), ['api', 'web', 'worker']);
  assert.deepEqual(order('memory'), ['web', 'api', 'worker']);
  assert.deepEqual(order('requests'), ['api', 'web', 'worker']);
  assert.deepEqual(order('restarts'), ['api', 'web', 'worker']);
  assert.deepEqual(order('state'), ['worker', 'api', 'web']);
  assert.deepEqual(order('name'), ['api', 'web', 'worker']);
});

test('a key that may not read everything sees no host, and an agent that is gone is named first', () => {
  const lines = picture(80, 24, {
    frame: frame({ stats: statsWith({ host: null }), lost: 'nobody listens there' }),
  });
  assert.match(lines[0] ?? '', /^As of 0s ago: nobody listens there$/);
  assert.ok(!lines.some((line) => line.startsWith('host')));
});

test('an agent that is gone is named above logs and details, too', () => {
  const view = logsOf([logLine(1)]);
  const lines = picture(80, 24, { view, frame: frame({ lost: 'nobody listens there' }) });
  assert.match(lines[0] ?? '', /^As of 0s ago/);
  assert.match(lines[1] ?? '', /^logs of web {2}following$/);
  assert.equal(lines[2], 'line 1');
});

test('what is asked names the service and what it costs', () => {
  const bottom = (keys: readonly string[]) => render(typing(stateWith(), ...keys).state, plain(80)).at(-1);
  assert.equal(bottom(['r']), 'Restart api, with 2 running instances and 4 open connections? y/n');
  assert.equal(bottom(['end', 'x']), 'Stop worker? y/n');
});

test('what is under way stands at its service, whose state is what the agent says, and at the bottom', () => {
  const lines = picture(80, 24, { under_way: new Map([['api', 'restart']]) });
  assert.match(lines[6] ?? '', /^> {2}api +running ↻ /);
  assert.equal(lines.at(-1), 'Under way: restart api');
});

test('what was said stands at the bottom, in full, also where that takes several rows', () => {
  const text = `the key may not operate "web": ${'it '.repeat(40)}end`;
  const lines = picture(80, 24, { note: { text, isError: true } });
  assert.equal(lines.slice(-2).join(''), text);
  assert.equal(lines.length, 24);
});

test('what a server says drives no terminal', () => {
  const lines = picture(80, 24, { note: { text: 'a\u001b[2Jb\nc', isError: true } });
  assert.equal(lines.at(-1), 'a\\x1b[2Jb\\nc');
});

test('a filter tells how many it lets through, while it is typed and later', () => {
  const typed = typing(stateWith(), '/', 'w').state;
  assert.match(render(typed, plain(80)).at(-1) ?? '', /^\/w_ {2}2 of 3; Enter keeps it/);
  assert.match(render(typing(typed, 'return').state, plain(80)).at(-1) ?? '', /^\/w \(2 of 3\)/);
  const none = typing(stateWith(), '/', 'z', 'return').state;
  assert.match(render(none, plain(80))[5] ?? '', /^No service has "z"/);
});

test('a picture of no services says so', () => {
  assert.equal(
    picture(80, 24, { frame: frame({ stats: statsWith({ services: [] }) }) })[5],
    'There are no services.',
  );
});

for (const view of ['list', 'logs', 'details'] as const) {
  test(`the help of ${view} has every key of it, fits 80 columns and 24 rows`, () => {
    const views: Record<View['kind'], View> = {
      list: { kind: 'list' },
      logs: openedLogs('web'),
      details: { kind: 'details', service: 'web', details: null, failure: null, offset: 0 },
    };
    const lines = picture(80, 24, { view: views[view], prompt: { kind: 'help' } });
    for (const { label, help } of Object.values(bindings[view]))
      assert.ok(
        lines.some((line) => line.startsWith(`${label}:`) && line.endsWith(help)),
        label,
      );
  });
}

test('lines of logs keep their colours, and nothing else of what drives a terminal', () => {
  const coloured: Canvas = {
    columns: 80,
    isTerminal: true,
    style: (style, text) => styleText(style, text, { validateStream: false }),
    logLine: (line) => logText(line, true),
  };
  const view = logsOf([logLine(1, { line: '\u001b[31mred\u001b[0m \u001b[2J\u001b]0;title\u0007\ttab' })]);
  const [, line] = render(stateWith({ view }), coloured);
  assert.equal(line, '\u001b[31mred\u001b[0m \\x1b[2J\\x1b]0;title\\x07     tab\u001b[0m');
});

test('lines of several instances tell which each is of, and when they were seen if that is wished', () => {
  const state = stateWith({ view: logsOf([logLine(1), logLine(2, { instance: 2 })]) });
  assert.deepEqual(render(state, plain(80)).slice(1, 3), ['r1.i1 line 1', 'r1.i2 line 2']);
  assert.equal(render(typing(state, 't').state, plain(80))[1], '12:34:56 r1.i1 line 1');
});

test('long lines are cut, or wrapped where that is wished', () => {
  const state = stateWith({ view: logsOf([logLine(1, { line: 'x'.repeat(100) }), logLine(2)]) });
  assert.deepEqual(render(state, plain(80)).slice(1, 4), ['x'.repeat(80), 'line 2', '']);
  const { state: wrapped } = typing(state, 'w');
  assert.deepEqual(render(wrapped, plain(80)).slice(1, 4), ['x'.repeat(80), 'x'.repeat(20), 'line 2']);
});

test('logs without a line say why there is none', () => {
  const opening = typing(stateWith({ selected: 'web' }), 'l').state;
  assert.match(render(opening, plain(80))[1] ?? '', /^Asking the agent/);
  assert.match(render(stateWith({ view: logsOf([]) }), plain(80))[1] ?? '', /has written nothing yet/);
});

const details: Details = {
  why: {
    service: 'web',
    state: 'failed',
    instance: 1,
    release: 3,
    sentence: 'web is failed: it exited with code 3 five times in a row',
    chain: [],
    chain_ends: 'begin',
    before: [],
    last_lines: [{ time: '2026-01-31T12:00:00Z', stream: 'stderr', level: null, line: 'no database' }],
  },
  instances: [
    {
      instance: 1,
      status: 'failed',
      ready: false,
      port: 8080,
      release: 3,
      readiness: null,
      liveness: null,
      restarts: 5,
      message: 'Process exited with code 3',
    },
  ],
  deployments: [
    {
      id: 12,
      service: 'web',
      status: 'succeeded',
      release: 3,
      previous_release: 2,
      strategy: 'rolling',
      actor: 'key:a',
      steps: [],
      cause: null,
      created_at: '2026-01-31T12:00:00.000Z',
      started_at: '2026-01-31T12:00:00.000Z',
      ended_at: '2026-01-31T12:00:01.000Z',
    },
  ],
};

test('details have why it is so, the instances, the last lines and the last deployments', () => {
  const view = { kind: 'details', service: 'web', details, failure: null, offset: 0 } as const;
  const text = picture(80, 24, { view }).join('\n');
  assert.match(text, /^details of web\nweb is failed: it exited with code 3 five times in a row\n/);
  assert.match(text, /\nInstances:\nINSTANCE +STATE.*\n1 +failed +no .*Process exited/);
  assert.match(text, /\nThe last lines of instance 1 \(release 3\):\n {2}no database\n/);
  assert.match(text, /\nLast deployments:\nDEPLOYMENT.*\n12 +succeeded +3 +rolling/);
});

test('details scroll as far as their end, and say why there is nothing newer', () => {
  const view = { kind: 'details', service: 'web', details, failure: 'the agent is gone', offset: 0 } as const;
  const state = stateWith({ view, room: { columns: 80, rows: 10 } });
  const end = render(typing(state, 'end', 'down', 'pagedown').state, plain(80));
  assert.deepEqual(end.slice(0, 2), ['details of web', 'the agent is gone']);
  assert.match(end.at(-2) ?? '', /^12 +succeeded/);
  assert.match(render(typing(state, 'end', 'g').state, plain(80))[2] ?? '', /^web is failed/);
});

test('colours say nothing that is not said without them', () => {
  const coloured: Canvas = {
    ...plain(80),
    style: (style, text) => styleText(style, text, { validateStream: false }),
  };
  const state = stateWith({ selected: 'worker' });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what is taken out are colours
  const stripped = render(state, coloured).map((line) => line.replaceAll(/\u001b\[\d+m/g, '').trimEnd());
  assert.deepEqual(
    stripped,
    render(state, plain(80)).map((line) => line.trimEnd()),
  );
});

test('a picture keeps to its room, whatever there is to show', () => {
  const text = fc.string({ unit: 'binary', maxLength: 100 });
  const any = fc.record({
    columns: fc.integer({ min: 20, max: 200 }),
    rows: fc.integer({ min: 1, max: 30 }),
    ids: fc.uniqueArray(fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,62}$/), { maxLength: 40 }),
    hostname: text,
    state: text,
    order: fc.constantFrom(...topOrders),
    lost: fc.option(text),
    note: fc.option(text),
    filter: text,
    line: text,
    showsLogs: fc.boolean(),
    wraps: fc.boolean(),
  });
  fc.assert(
    fc.property(
      any,
      ({ columns, rows, ids, hostname, state, order, lost, note, filter, line, showsLogs, wraps }) => {
        const stats = statsWith({ services: ids.map((id) => service(id, { state })) });
        const shown = picture(columns, rows, {
          frame: { stats: { ...stats, agent: { ...stats.agent, hostname } }, history, lost },
          order,
          filter,
          note: note === null ? null : { text: note, isError: false },
          view: showsLogs
            ? { ...openedLogs('web'), lines: [logLine(1, { line })], state: 'live', wraps }
            : { kind: 'list' },
        });
        assert.equal(shown.length, rows);
        assert.ok(shown.every((each) => !/\p{Cc}/u.test(each)));
      },
    ),
  );
});

test('a list of very many services is drawn fast enough to be scrolled through', () => {
  const stats = statsWith({ services: many(1_000) });
  const lines = render(typing(stateWith({ frame: frame({ stats }) }), 'end').state, plain(80));
  assert.match(lines.at(-2) ?? '', /^> {2}s999 /);
});

test('a small chart has the newest at its end, and shows the greatest of what falls together', () => {
  assert.equal(sparkline([], 3), '···');
  assert.equal(sparkline([1, 1], 3), '·▁▁');
  assert.equal(sparkline([0, 7, null, 3], 4), '▁█·▄');
  assert.equal(sparkline([0, 9, 0, 0, 0, 9], 3), '█▁█');
  assert.equal(sparkline([0.5], 1, { least: 0, greatest: 1 }), '▅');
});
