import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { type TestContext, test } from 'node:test';
import { type HealthChange, type HealthResult, Monitor } from '../../src/health/monitor.ts';
import type { CommandEnd, ProbeTarget } from '../../src/health/target.ts';
import { until } from '../helpers/system.ts';
import { closedPort, instanceAt, listen, probeOf } from './asking.ts';

interface Heard {
  readonly monitor: Monitor;
  readonly changes: HealthChange[];
  readonly results: HealthResult[];
  /** `readiness healthy`, … */
  said(): string[];
}

function monitorFor(t: TestContext): Heard {
  const changes: HealthChange[] = [];
  const results: HealthResult[] = [];
  const monitor = new Monitor({
    onChange: (change) => changes.push(change),
    onResult: (result) => results.push(result),
    onProblem: assert.fail,
  });
  t.after(() => monitor.close());
  return { monitor, changes, results, said: () => changes.map(({ kind, verdict }) => `${kind} ${verdict}`) };
}

type Fields = Readonly<Record<string, unknown>>;
type Known = Partial<Omit<ProbeTarget, 'readiness' | 'liveness'>>;

function targetOf(
  port: number | null,
  probes: { readiness?: Fields; liveness?: Fields },
  known: Known = {},
): ProbeTarget {
  const { readiness, liveness } = probes;
  return {
    service: 'web',
    instance: 1,
    started_at: Date.now(),
    ...instanceAt(port),
    ...known,
    readiness: readiness === undefined ? null : probeOf(readiness),
    liveness: liveness === undefined ? null : probeOf(liveness),
  };
}

const good: CommandEnd = { code: 0, signal: null, timed_out: false, output: '' };
const bad: CommandEnd = { ...good, code: 1 };

test('an instance that comes up is found ready soon, whatever its interval', async (t) => {
  const { monitor, said, results } = monitorFor(t);
  const server = createServer((_request, response) => void response.end());
  const port = await closedPort(createServer());
  monitor.watch(targetOf(port, { readiness: { type: 'http', interval: '1h', timeout: '1s' } }));
  await until('it was asked in vain', () => results.length > 2);
  assert.deepEqual(said(), []);
  assert.ok(results.every(({ success, verdict }) => !success && verdict === 'unknown'));
  server.listen(port, '127.0.0.1');
  t.after(() => server.close());
  await until('it is ready', () => said().length > 0);
  assert.deepEqual(said(), ['readiness healthy']);
});

test('what fails before its turn is not unhealthy by that', async (t) => {
  const { monitor, said, results } = monitorFor(t);
  const port = await closedPort(createServer());
  const probe = { type: 'tcp', interval: '1h', unhealthy_threshold: 1 };
  monitor.watch(targetOf(port, { liveness: probe }));
  await until('it was asked often', () => results.length >= 5);
  assert.deepEqual(said(), []);
});

test('readiness and liveness are two verdicts, each told when it changes, with the result that did it', async (t) => {
  const { monitor, changes, said } = monitorFor(t);
  let status = 200;
  const server = createServer((request, response) => {
    response.writeHead(request.url === '/ready' ? status : 200).end();
  });
  const port = await listen(t, server);
  const often = { type: 'http', interval: '100ms', unhealthy_threshold: 2 };
  monitor.watch(targetOf(port, { readiness: { ...often, path: '/ready' }, liveness: often }));
  await until('both are known', () => said().length === 2);
  status = 503;
  await until('it is not ready', () => said().length === 3);
  status = 200;
  await until('it is ready again', () => said().length === 4);
  assert.deepEqual(said().slice(0, 2).sort(), ['liveness healthy', 'readiness healthy']);
  assert.deepEqual(said().slice(2), ['readiness unhealthy', 'readiness healthy']);
  const [, , down, up] = changes;
  assert.deepEqual([down?.previous, up?.previous], ['healthy', 'unhealthy']);
  assert.match(down?.result.message ?? '', /answered 503, expected 200-399$/);
  assert.deepEqual([down?.service, down?.instance], ['web', 1]);
});

test('thresholds count probes in a row', async (t) => {
  const { monitor, said, results } = monitorFor(t);
  const outcomes = [bad, bad, good, bad, bad, bad, good, good];
  let asked = 0;
  const runCommand = async () => outcomes[asked++] ?? good;
  const probe = {
    type: 'exec',
    command: 'x',
    interval: '100ms',
    healthy_threshold: 2,
    unhealthy_threshold: 3,
  };
  monitor.watch(targetOf(null, { liveness: probe }, { runCommand, started_at: 0 }));
  await until('all was said', () => asked > 8);
  const verdicts = results.slice(0, 8).map(({ verdict }) => verdict);
  // The first may come before its turn, where a failure does not count; the three in the middle do.
  assert.deepEqual(verdicts.slice(0, 5), Array(5).fill('unknown'));
  assert.deepEqual(verdicts.slice(5), ['unhealthy', 'unhealthy', 'healthy']);
  assert.deepEqual(said(), ['liveness unhealthy', 'liveness healthy']);
});

test('within the start period failures do not count', async (t) => {
  const { monitor, said, results } = monitorFor(t);
  const runCommand = async () => bad;
  const probe = { type: 'exec', command: 'x', interval: '100ms', unhealthy_threshold: 1 };
  monitor.watch(targetOf(null, { liveness: { ...probe, start_period: '1h' } }, { runCommand }));
  await until('it failed often', () => results.length >= 4);
  assert.deepEqual(said(), []);
  const before = { runCommand, started_at: Date.now() - 3_600_000, instance: 2 };
  monitor.watch(targetOf(null, { liveness: { ...probe, start_period: '1h' } }, before));
  await until('the start period of the other is over', () => said().length === 1);
});

test('a probe that is slow is not made a second time meanwhile', async (t) => {
  const { monitor } = monitorFor(t);
  const waiting: (() => void)[] = [];
  const [underway, most, asked] = [
    { a: 0, b: 0 },
    { a: 0, b: 0 },
    { a: 0, b: 0 },
  ];
  const runCommand = async (command: unknown): Promise<CommandEnd> => {
    const name = command as 'a' | 'b';
    asked[name]++;
    most[name] = Math.max(most[name], ++underway[name]);
    if (name === 'a') await new Promise<void>((resolve) => waiting.push(resolve));
    underway[name]--;
    return good;
  };
  const probe = (command: string) => ({ type: 'exec', command, interval: '100ms' });
  monitor.watch(targetOf(null, { readiness: probe('a'), liveness: probe('b') }, { runCommand }));
  await until('the other was made often', () => asked.b >= 6);
  assert.deepEqual([asked.a, most.a], [1, 1]);
  waiting.shift()?.();
  await until('it goes on', () => asked.a >= 2);
  assert.deepEqual(most, { a: 1, b: 1 });
  for (const resolve of waiting) resolve();
});

test('nothing is told of an instance whose watch has ended, and what was under way is called off', async (t) => {
  const { monitor, results, said } = monitorFor(t);
  const signals: AbortSignal[] = [];
  const runCommand = (_command: unknown, _timeout: number, signal: AbortSignal) => {
    signals.push(signal);
    return new Promise<CommandEnd>((resolve) => signal.addEventListener('abort', () => resolve(good)));
  };
  const watch = monitor.watch(targetOf(null, { liveness: { type: 'exec', command: 'x' } }, { runCommand }));
  await until('it was asked', () => signals.length === 1);
  watch.end();
  watch.end();
  await new Promise(setImmediate);
  assert.equal(signals[0]?.aborted, true);
  assert.deepEqual([results, said(), monitor.present('web')], [[], [], []]);
});

test('the present verdicts of a service are those of its instances that are watched', async (t) => {
  const { monitor, said } = monitorFor(t);
  const often = { type: 'process', interval: '100ms' };
  const second = monitor.watch(targetOf(null, { liveness: often }, { instance: 2 }));
  monitor.watch(targetOf(null, { readiness: often, liveness: { type: 'exec', command: 'x' } }));
  monitor.watch(targetOf(null, { liveness: often }, { service: 'other' }));
  assert.deepEqual(
    monitor.present('web').map(({ instance, kind, verdict, last }) => [instance, kind, verdict, last]),
    [
      [1, 'readiness', 'unknown', null],
      [1, 'liveness', 'unknown', null],
      [2, 'liveness', 'unknown', null],
    ],
  );
  await until('all but the command are known', () => said().length === 3);
  const [readiness, , other] = monitor.present('web');
  assert.deepEqual([readiness?.verdict, other?.verdict], ['healthy', 'healthy']);
  assert.equal(readiness?.last?.message, 'The process is there');
  const since = readiness?.since;
  await until('it was asked again', () => monitor.present('web')[0]?.last?.at !== since);
  assert.equal(monitor.present('web')[0]?.since, since);
  second.end();
  assert.deepEqual(
    monitor.present('web').map(({ instance }) => instance),
    [1, 1],
  );
});

test('whoever listens and fails does not keep the probes from going on', async (t) => {
  const problems: string[] = [];
  const onChange = () => {
    throw new Error('no room');
  };
  const monitor = new Monitor({ onChange, onProblem: (message) => problems.push(message) });
  t.after(() => monitor.close());
  let asked = 0;
  const isAlive = () => ++asked > 0;
  monitor.watch(targetOf(null, { liveness: { type: 'process', interval: '100ms' } }, { isAlive }));
  await until('it was asked again', () => asked >= 3);
  assert.deepEqual(problems, ['the health of service "web" could not be taken note of: no room']);
});

test('200 services are probed in turn, not at once', async (t) => {
  const { monitor, results } = monitorFor(t);
  const probe = { type: 'process', interval: '2s' };
  for (let at = 0; at < 200; at++)
    monitor.watch(targetOf(null, { liveness: probe }, { service: `s${at}`, started_at: Date.now() }));
  await until('each was probed three times', () => results.length >= 600);
  const turns = results.slice(200, 600).map(({ at }) => Math.floor((at % 2_000) / 100));
  const most = Math.max(
    ...Map.groupBy(turns, (turn) => turn)
      .values()
      .map(({ length }) => length),
  );
  assert.ok(most <= 80, `${most} of 400 in a twentieth of the interval`);
});
