import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { TraceMode } from '../../src/contract/routing_table.ts';
import { formatTraceparent, parseTraceparent } from '../../src/lib/trace_context.ts';
import { Tracing, traceOf, withTrace } from '../../src/router/tracing.ts';
import { closedPort } from '../helpers/http_front.ts';
import { until } from '../helpers/system.ts';
import { everything, readLine } from './access_lines.ts';
import { FakeDirector } from './fake_director.ts';
import { Paths } from './paths.ts';
import { answerWith, Wire, WireServer } from './wire.ts';

const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const invalid = '00-00000000000000000000000000000000-00f067aa0ba902b7-01';

async function start(t: TestContext, isFast: boolean, trace: TraceMode) {
  const server = await WireServer.listen(t);
  const heads: string[] = [];
  server.answer((request) => {
    heads.push(request);
    return answerWith('x');
  });
  const director = new FakeDirector(server.port);
  const paths = new Paths(director, { isFast, trace, access_log: everything });
  const port = await paths.listen();
  t.after(() => paths.close());
  const client = await Wire.open(t, port);
  /** What the instance got of these lines about a trace, and the line of the access log. */
  const ask = async (lines: string) => {
    client.write(`GET / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`);
    await client.take('\r\n\r\nx');
    const index = heads.length - 1;
    await until('a line is written', () => paths.lines.length > index);
    const seen = (heads[index] as string).split('\r\n').filter((each) => /^trace/i.test(each));
    return { seen, line: readLine(paths.lines[index] as string) };
  };
  return { ask, director };
}

for (const [name, isFast] of [
  ['fast', true],
  ['full', false],
] as const) {
  test(`the ${name} path carries a trace untouched, whether or not traces are begun`, async (t) => {
    for (const mode of ['carry', 'start', 'start_sampled'] as const) {
      const { ask } = await start(t, isFast, mode);
      const given = [`Traceparent: ${traceparent}`, 'tracestate: a=1,b=2', 'tracestate: c=3'];
      const { seen, line } = await ask(`${given.join('\r\n')}\r\n`);
      assert.deepEqual(seen, given, mode);
      assert.equal(line['trace_id'], '4bf92f3577b34da6a3ce929d0e0e4736');
    }
  });

  test(`the ${name} path leaves what is not valid as it is where it only carries`, async (t) => {
    const { ask } = await start(t, isFast, 'carry');
    const given = [`traceparent: ${invalid}`, 'tracestate: a=1'];
    const { seen, line } = await ask(`${given.join('\r\n')}\r\n`);
    assert.deepEqual(seen, given);
    assert.equal(line['trace_id'], null);
    assert.deepEqual((await ask('')).seen, []);
  });

  for (const [mode, flags] of [
    ['start', '00'],
    ['start_sampled', '01'],
  ] as const)
    test(`the ${name} path begins a trace where there is none, and drops what is not valid: ${mode}`, async (t) => {
      const { ask } = await start(t, isFast, mode);
      const ids = new Set<unknown>();
      for (const lines of [
        '',
        `traceparent: ${invalid}\r\ntracestate: a=1\r\n`,
        'tracestate: a=1\r\n',
        `traceparent: ${traceparent}\r\ntraceparent: ${traceparent}\r\n`,
        '',
      ]) {
        const { seen, line } = await ask(lines);
        assert.equal(seen.length, 1, seen.join());
        const [, value = ''] = /^traceparent: (.*)$/.exec(seen[0] as string) ?? [];
        const begun = parseTraceparent(value);
        assert.ok(begun !== null && value.endsWith(`-${flags}`), value);
        assert.deepEqual([line['trace_id'], line['parent_id']], [begun.trace_id, begun.parent_id]);
        ids.add(begun.trace_id);
      }
      assert.equal(ids.size, 5);
    });

  test(`the ${name} path keeps the trace that it began when it tries another instance`, async (t) => {
    const { ask, director } = await start(t, isFast, 'start');
    const [up] = director.instances as [FakeDirector['instances'][number]];
    const [down] = new FakeDirector(await closedPort()).instances as [typeof up];
    director.instances = [down, new FakeDirector(1, up.port).instances[1] as typeof up];
    const { seen, line } = await ask('');
    assert.equal(seen.length, 1);
    assert.equal(line['retries'], 1);
    assert.ok(seen[0]?.includes(String(line['trace_id'])));
  });
}

test('a trace stands in the fields once, whatever stood there before', () => {
  const tracing = new Tracing();
  assert.equal(tracing.startFor([]), null);
  tracing.apply('as_nobody_knows_yet' as never);
  assert.equal(tracing.startFor([]), null);
  tracing.apply('start');
  const trace = tracing.startFor(['TraceParent', 'x', 'A', 'b', 'TraceState', 'c=d']);
  assert.ok(trace !== null);
  const fields = withTrace(['TraceParent', 'x', 'A', 'b', 'TraceState', 'c=d'], trace);
  assert.deepEqual(fields, ['A', 'b', 'traceparent', formatTraceparent(trace)]);
  assert.deepEqual(traceOf(fields), trace);
  assert.equal(tracing.startFor(fields), null);
});
