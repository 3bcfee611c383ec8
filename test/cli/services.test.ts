import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { deployBody } from '../../src/cli/deploy.ts';
import { ended, Person, written } from './davit.ts';
import { fakeAgent, shownService } from './fake_agent.ts';

let person: Person;
beforeEach(() => {
  person = new Person();
});
afterEach(() => person[Symbol.dispose]());

const result = { status: 'deployed', pid: 7, message: 'Service deployed', service: 'web', release: 2 };

test('flags become a patch of the spec that names nothing else', () => {
  assert.deepEqual(deployBody({}, [], {}, true), {});
  assert.deepEqual(
    deployBody(
      {
        cwd: '/opt',
        env: ['A=1', 'B=x=y', 'EMPTY=', 'TAKEN'],
        envFile: ['/a', '/b'],
        user: 'www',
        group: '33',
        stopSignal: 'SIGINT',
        stopTimeout: '9s',
        minUptime: '2s',
        maxLogSize: '1MB',
        unset: ['user', 'env.OLD', 'stop.timeout'],
      },
      ['node', '--json', 'a b'],
      { TAKEN: 'from here' },
      true,
    ),
    {
      command: ['node', '--json', 'a b'],
      cwd: '/opt',
      env: { A: '1', B: 'x=y', EMPTY: '', TAKEN: 'from here', OLD: null },
      env_file: ['/a', '/b'],
      user: null,
      group: 33,
      stop: { signal: 'SIGINT', timeout: null },
      min_uptime: '2s',
      logs: { max_size: '1MB' },
    },
  );
  assert.deepEqual(deployBody({ command: 'a && b' }, [], {}, true), { command: 'a && b' });
});

test('what is new about a service has flags too', () => {
  assert.deepEqual(
    deployBody(
      {
        port: 'auto',
        instances: 3,
        healthHttp: '/ok',
        restart: 'on_failure',
        dependsOn: ['db:healthy', 'cache'],
        memory: '512MB',
        cpu: 0.5,
        runner: 'systemd',
      },
      [],
      {},
      true,
    ),
    {
      port: 'auto',
      instances: 3,
      readiness: { type: 'http', path: '/ok' },
      restart: { policy: 'on_failure' },
      depends_on: { db: 'healthy', cache: 'started' },
      limits: { memory: '512MB', cpu: 0.5 },
      runner: 'systemd',
    },
  );
  assert.deepEqual(deployBody({ task: true }, [], {}, true), { type: 'task' });
  assert.deepEqual(deployBody({ schedule: '@daily', timeZone: 'Europe/Berlin' }, [], {}, true), {
    type: 'task',
    schedule: { cron: '@daily', time_zone: 'Europe/Berlin' },
  });
});

test('a relative path is meant where the agent sees the same files, and nowhere else', () => {
  assert.equal(deployBody({ cwd: '.' }, [], {}, true).cwd, process.cwd());
  assert.equal(deployBody({ cwd: '.' }, [], {}, false).cwd, '.');
});

test('a variable that is not there is not sent as empty', () => {
  assert.throws(() => deployBody({ env: ['NONE'] }, [], {}, true), /there is no such variable here/);
});

test('deploy sends what stands after -- as it stands', async () => {
  await using agent = await fakeAgent(() => result);
  agent.describeIn(person.path('data'));
  const words = [
    'deploy',
    'web',
    '--cwd',
    '.',
    '--env',
    'TOKEN',
    '--',
    'node',
    '-e',
    '1;\n',
    '--json',
    '--',
    '',
  ];
  const { code, out, err } = await person.davit(words, '', { TOKEN: 'secret' });
  assert.deepEqual([code, out, err], [0, 'web: deployed, release 2 as pid 7\n', '']);
  const [request] = agent.requests;
  assert.equal(`${request?.method} ${request?.path}`, 'POST /api/v1/services/web/deploy');
  assert.equal(request?.headers.authorization, 'Bearer admin-key');
  assert.deepEqual(request?.body, {
    command: ['node', '-e', '1;\n', '--json', '--', ''],
    cwd: person.home,
    env: { TOKEN: 'secret' },
  });
});

test('deploy --supersede says so, and TRACEPARENT goes along where it is valid', async () => {
  await using agent = await fakeAgent(() => result);
  agent.describeIn(person.path('data'));
  const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  await person.davit(['deploy', 'web', '--supersede', '--', 'x'], '', { TRACEPARENT });
  await person.davit(['deploy', 'web', '--', 'x'], '', { TRACEPARENT: `${TRACEPARENT}\r\nx-injected: 1` });
  assert.deepEqual(
    agent.requests.map(({ query, headers }) => ({ query, traceparent: headers['traceparent'] })),
    [
      { query: { supersede: 'true' }, traceparent: TRACEPARENT },
      { query: {}, traceparent: undefined },
    ],
  );
});

test('deploy takes a file or standard input, and flags win over it', async () => {
  await using agent = await fakeAgent(() => result);
  agent.describeIn(person.path('data'));
  const yaml = 'command: [node, a.js]\nenv: {A: "1", B: "2"}\nstop: {timeout: 9s}\n';
  writeFileSync(person.path('web.yaml'), yaml);
  await person.davit(['deploy', 'web', '--file', 'web.yaml', '--env', 'B=3']);
  await person.davit(['deploy', 'web', '--file', '-'], JSON.stringify({ command: 'x' }));
  assert.deepEqual(agent.requests[0]?.body, {
    command: ['node', 'a.js'],
    env: { A: '1', B: '3' },
    stop: { timeout: '9s' },
  });
  assert.deepEqual(agent.requests[1]?.body, { command: 'x' });
});

for (const [words, expected] of [
  [['deploy', 'web', 'node', 'a.js'], /put -- before the command: davit deploy web -- node a\.js/],
  [['deploy', 'web', '--command', 'a', '--', 'b'], /after -- or by --command, not both/],
  [['deploy', 'web', '--file', 'none.yaml'], /none\.yaml cannot be read: ENOENT/],
  [['deploy', '../etc'], /must be 1 to 63 characters/],
  [['deploy', 'web', '--stop-timeout', '5'], /must be a duration with a unit/],
  [['deploy', 'web', '--colour', '1'], /unknown option '--colour'/],
  [['deploy', 'web', '--port', '70000'], /must be a port from 1 to 65535, or auto/],
  [['deploy', 'web', '--instances', '0'], /must be a whole number, at least 1/],
  [['deploy', 'web', '--restart', 'no'], /Allowed choices are always, on_failure, never/],
  [['deploy', 'web', '--cpu', 'two'], /must be a number of cores/],
  [['deploy', 'web', '--memory', '5'], /must be a size with a unit/],
  [['deploy', 'web', '--depends-on', 'db:up', '--', 'x'], /must be SERVICE or SERVICE:CONDITION, .* healthy/],
  [['deploy', 'web', '--time-zone', 'UTC', '--', 'x'], /--time-zone needs --schedule/],
  [['scale', 'web', '0'], /must be a whole number, at least 1/],
  [['scale', 'web'], /missing required argument 'number'/],
  [['restart', 'web', 'api', '--instance', '1'], /--instance is for one service/],
  [['why', '../web'], /must be 1 to 63 characters/],
  [['deploy'], /missing required argument 'service'/],
  [['deplyo', 'web'], /unknown command 'deplyo'\n\(Did you mean deploy\?\)/],
  [['stop', 'web', '--', 'x'], /davit stop takes nothing after --/],
  [['delete', 'web'], /needs --yes/],
  [['signal', 'web', 'HUPP'], /did you mean SIGHUP/],
  [['status', '--url', 'nowhere'], /--url: "nowhere" is not an address/],
  [
    ['token', '--url', 'http://a', '--signing-key-file', 'x', '--issuer', 'x', '--subject', 'x'],
    /asks no agent/,
  ],
] as const) {
  test(`davit ${words.join(' ')} is wrong usage, and no agent is asked`, async () => {
    await using agent = await fakeAgent(() => result);
    agent.describeIn(person.path('data'));
    const { code, out, err } = await person.davit(words);
    assert.equal(code, 2, err);
    assert.match(err, expected);
    assert.match(err, /^davit: /);
    assert.equal(out, '');
    assert.equal(agent.requests.length, 0);
  });
}

test('a failed deploy shows how the process ended, what it wrote last and what goes on', async () => {
  const fields = { return_code: 3, last_lines: ['boom\u001b[2J', 'bye'], restored: { release: 1, pid: 42 } };
  const failure = {
    error: 'service "web" did not stay up',
    code: 'exited_early',
    request_id: 'r1',
    ...fields,
  };
  await using agent = await fakeAgent(() => ({ http_status: 422, ...failure }));
  agent.describeIn(person.path('data'));
  const { code, out, err } = await person.davit(['deploy', 'web', '--', 'false']);
  assert.equal(code, 1);
  assert.equal(out, '');
  assert.deepEqual(err.split('\n'), [
    'davit: service "web" did not stay up',
    '  return code: 3',
    '  its last lines:',
    '    boom\\x1b[2J',
    '    bye',
    '  release 1 goes on as pid 42',
    '  More of what it wrote: davit logs web',
    '',
  ]);
  const json = await person.davit(['deploy', 'web', '--json', '--', 'false']);
  assert.equal(json.code, 1);
  assert.deepEqual(JSON.parse(json.out), failure);
  assert.equal(json.err, '');
});

test('one service is called by its own route, several by one batch', async () => {
  const error = { error: 'there is no service "b"', code: 'service_not_found', request_id: 'r' };
  const batch = {
    results: [
      {
        service: 'a',
        operation: 'restart',
        http_status: 200,
        result: { ...result, service: 'a', status: 'restarted' },
      },
      { service: 'b', operation: 'restart', http_status: 404, result: error },
    ],
    succeeded: 1,
    failed: 1,
  };
  await using agent = await fakeAgent(({ path }) =>
    path.endsWith('/batch') ? batch : { ...result, status: 'restarted' },
  );
  agent.describeIn(person.path('data'));
  const one = await person.davit(['restart', 'web']);
  assert.deepEqual([one.code, one.out], [0, 'web: restarted, release 2 as pid 7\n']);
  const two = await person.davit(['restart', 'a', 'b']);
  assert.equal(two.code, 3);
  assert.equal(
    two.out,
    'a: restarted, release 2 as pid 7\nb: there is no service "b"\n1 of 2 restarted, 1 failed\n',
  );
  const json = await person.davit(['restart', 'a', 'b', '--json']);
  assert.deepEqual(JSON.parse(json.out), batch);
  assert.equal(json.code, 3);
  assert.deepEqual(
    agent.requests.map(({ method, path, body }) => [method, path, body]),
    [
      ['POST', '/api/v1/services/web/restart', {}],
      ...[1, 2].map(() => [
        'POST',
        '/api/v1/batch',
        {
          operations: [
            { operation: 'restart', service: 'a' },
            { operation: 'restart', service: 'b' },
          ],
        },
      ]),
    ],
  );
});

test('a stop says what it took', async () => {
  const stop = {
    signal: 'SIGTERM',
    ended_by: 'kill',
    swept: [8, 9],
    survivors: [10],
    complete: 'best_effort',
    duration_ms: 5012,
  };
  await using agent = await fakeAgent(() => ({ ...result, status: 'stopped', stop }));
  agent.describeIn(person.path('data'));
  const { out } = await person.davit(['stop', 'web']);
  assert.equal(
    out,
    [
      'web: stopped by SIGKILL, after 5.0 s of SIGTERM in vain',
      '  processes that had left its group were killed too: 8, 9',
      '  STILL RUNNING, could not be killed: 10',
      '',
    ].join('\n'),
  );
});

for (const [typed, code, deletes] of [
  ['n\n', 1, 0],
  ['\n', 1, 0],
  ['\u0004', 1, 0],
  ['\u0003', 130, 0],
  ['yes\n', 0, 1],
] as const) {
  test(`delete asks on a terminal; ${JSON.stringify(typed)} deletes ${deletes}`, async () => {
    await using agent = await fakeAgent(() => ({ ...result, status: 'deleted' }));
    agent.describeIn(person.path('data'));
    const child = person.startOnTerminal(['delete', 'web'], 80);
    const ending = ended(child);
    await written(child, 'stdout', /Stop web and delete its releases and logs\? \[y\/N\]/);
    child.stdin?.write(typed);
    assert.equal((await ending).code, code);
    assert.equal(agent.requests.length, deletes);
  });
}

test('delete --yes does not ask', async () => {
  await using agent = await fakeAgent(() => ({ ...result, status: 'deleted' }));
  agent.describeIn(person.path('data'));
  assert.equal((await person.davit(['delete', '--yes', 'web'])).out, 'web: deleted\n');
  assert.equal(agent.requests[0]?.method, 'DELETE');
});

test('signal, rollback and releases call their routes', async () => {
  const release = { release: 2, spec: shownService('web').spec, reason: 'deploy', outcome: 'failed' };
  const rest = {
    cause: 'it ended',
    created_at: '2026-01-31T12:00:00.123Z',
    created_by: 'key:a',
    current: true,
  };
  await using agent = await fakeAgent(({ method }) =>
    method === 'GET' ? { releases: [{ ...release, ...rest }] } : { ...result, status: 'rolled_back' },
  );
  agent.describeIn(person.path('data'));
  assert.equal((await person.davit(['signal', 'web', 'hup'])).out, 'web: SIGHUP sent\n');
  assert.equal((await person.davit(['rollback', 'web', '2'])).out, 'web: rolled back, release 2 as pid 7\n');
  await person.davit(['rollback', 'web']);
  assert.deepEqual(
    agent.requests.map(({ body }) => body),
    [{ signal: 'SIGHUP' }, { release: 2 }, {}],
  );
  const { out } = await person.davit(['releases', 'web']);
  assert.equal(
    out,
    [
      'RELEASE  OUTCOME  REASON  CREATED               BY     COMMAND',
      '2 *      failed   deploy  2026-01-31T12:00:00Z  key:a  sleep 1000 (it ended)',
      '',
    ].join('\n'),
  );
});
