import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problemsOf } from '../../src/console/pages/editor/check.ts';
import { asList, asText } from '../../src/console/pages/editor/command_form.ts';
import {
  declaredFields,
  patchBetween,
  withoutDefaults,
} from '../../src/console/pages/editor/declared_fields.ts';
import {
  canShow,
  type FormField,
  formFields,
  readScalar,
} from '../../src/console/pages/editor/form_fields.ts';
import { groupFields } from '../../src/console/pages/editor/form_groups.ts';
import { type Fields, type JsonSchema, serviceSchema } from '../../src/console/pages/editor/json_schema.ts';
import { callFor, planSource } from '../../src/console/pages/editor/plan_call.ts';
import { ServiceText, textOfFields } from '../../src/console/pages/editor/service_text.ts';
import { declarationJsonSchema, type PlanStep } from '../../src/contract/declaration.ts';
import type { Service } from '../../src/contract/services.ts';
import { spec as specSchema } from '../../src/contract/spec.ts';
import { applyPatch, hideValues } from '../../src/services/spec.ts';

const schema = serviceSchema(declarationJsonSchema() as JsonSchema);
const fields = formFields(schema);

/** Specs that use much of what the contract has. */
const examples: readonly Fields[] = [
  { command: 'node server.js' },
  { command: ['node', 'server.js'], port: 'auto', instances: 3, tags: ['shop'], env: { A: '1', B: '2' } },
  {
    command: 'serve',
    port: 8080,
    user: 1000,
    env_file: '/etc/shop.env',
    readiness: { type: 'http', path: '/health', status: [200, '300-399'], tls: {} },
    liveness: { type: 'exec', command: ['true'], interval: '30s' },
    restart: { policy: 'on_failure', backoff: { max: '2m' }, limit: { count: 'unlimited' } },
    limits: { memory: '512MB', cpu: 0.5 },
    rollout: { strategy: 'rolling', max_surge: 1, canary: { steps: [20, 50] } },
    routes: [{ hosts: ['shop.example.org'], path_prefix: '/api', headers: { 'x-beta': { present: true } } }],
    routing: { affinity: { by: 'cookie' }, weights: { 1: 3 } },
    depends_on: { db: 'healthy' },
    configs: [{ name: 'app', path: '/etc/app.conf', validate: ['check', '$' + '{FILE}'] }],
    logs: { compress: false },
    parameters: { size: { type: 'enum', values: ['s', 'm'] }, note: { max_length: 10 } },
    arguments: { size: 's' },
  },
  { command: 'backup', type: 'task', schedule: { cron: '0 3 * * *' }, success_exit_codes: [0, 3] },
];

function serviceOf(given: Fields, wanted?: number): Service {
  const whole = specSchema.parse(given);
  const status = {
    instances: { wanted: wanted ?? whole.instances, running: 1, ready: 1 },
    status: 'running',
  };
  return { id: 'web', spec: hideValues(whole), status, created_at: '' } as unknown as Service;
}

function pathsOf(all: readonly FormField[], above = ''): string[] {
  return all.flatMap((field) => {
    const path = above + field.name;
    if (field.kind === 'group' || field.kind === 'groups')
      return [path, ...pathsOf(field.fields, `${path}.`)];
    if (field.kind !== 'choice') return [path];
    return [path, ...field.options.flatMap((option) => pathsOf(option.fields, `${path}:${option.value}.`))];
  });
}

test('every field of the contract is in a group of the form, also one that no group names', () => {
  const later = { ...schema, properties: { ...schema.properties, brand_new: { type: 'string' } } };
  const grouped = groupFields(formFields(later)).map(({ name, fields: inside }) => ({
    name,
    names: inside.map((field) => field.name),
  }));
  const names = grouped.flatMap((group) => group.names);
  assert.deepEqual([...names].sort(), [...Object.keys(specSchema.shape), 'brand_new'].sort());
  assert.deepEqual(grouped.at(-1), { name: 'other', names: ['brand_new'] });
});

test('only what a form cannot show is left to the YAML', () => {
  const left: string[] = [];
  const look = (all: readonly FormField[], above: string): void => {
    for (const field of all) {
      const path = above + field.name;
      if (field.kind === 'yaml') left.push(path);
      if (field.kind === 'group' || field.kind === 'groups') look(field.fields, `${path}.`);
      if (field.kind === 'choice')
        for (const option of field.options) look(option.fields, `${path}:${option.value}.`);
    }
  };
  look(fields, '');
  assert.deepEqual(left, ['parameters']);
  const paths = pathsOf(fields);
  for (const path of [
    'restart.backoff.jitter',
    'readiness:http.tls.ca_file',
    'readiness:grpc.service',
    'routes.headers',
    'routing.affinity.name',
    'configs.validate',
    'rollout.tolerance.error_rate',
  ])
    assert.ok(paths.includes(path), path);
});

test('a field is what its schema says', () => {
  const kinds = Object.fromEntries(fields.map(({ name, kind }) => [name, kind]));
  assert.equal(kinds['command'], 'text_or_list');
  assert.equal(kinds['port'], 'scalar');
  assert.equal(kinds['env'], 'record');
  assert.equal(kinds['tags'], 'list');
  assert.equal(kinds['routes'], 'groups');
  assert.equal(kinds['limits'], 'group');
  assert.equal(kinds['readiness'], 'choice');
  const port = fields.find(({ name }) => name === 'port');
  assert.ok(port?.kind === 'scalar');
  assert.deepEqual(
    ['', '8080', 'auto', '80a'].map((text) => readScalar(port, text)),
    [undefined, 8080, 'auto', '80a'],
  );
});

test('what the form cannot write again as it is, is not shown in it', () => {
  const named = (name: string) => {
    const field = fields.find((one) => one.name === name);
    assert.ok(field);
    return field;
  };
  assert.ok(canShow(named('command'), 'a\nb'));
  assert.ok(!canShow(named('command'), ['sh', '-c', 'a\nb']));
  assert.ok(!canShow(named('command'), ['echo', ' ']));
  assert.ok(!canShow(named('tags'), ['a', ' b']));
  assert.ok(canShow(named('env_file'), '/etc/shop.env'));
  assert.ok(!canShow(named('ready_log'), 'a\nb'));
  assert.ok(!canShow(named('port'), { from: 1 }));
  assert.ok(!canShow(named('readiness'), { type: 'of a later version' }));
  assert.ok(!canShow(named('parameters'), {}));
});

test('a command as a list and as a text does the same', () => {
  const commands: readonly (readonly [string, readonly string[]])[] = [
    ['node server.js', ['node', 'server.js']],
    ['cd /opt && exec node "a b"', ['/bin/sh', '-c', 'cd /opt && exec node "a b"']],
  ];
  for (const [text, list] of commands) {
    assert.deepEqual(asList(text), list);
    assert.equal(asText(list), text);
  }
  assert.equal(asText(['echo', "it's", 'a  b', '$HOME']), "echo 'it'\\''s' 'a  b' '$HOME'");
});

test('only what is not as by default is written', () => {
  for (const given of examples) {
    const short = declaredFields(schema, serviceOf(given));
    const expected = { ...given, ...('env' in given && { env: { A: '***', B: '***' } }) };
    const { env_file } = given;
    assert.deepEqual(short, { ...expected, ...(env_file !== undefined && { env_file }) });
  }
  assert.deepEqual(withoutDefaults(schema, { command: 'a', stop: { timeout: '5s' }, cwd: '/', user: null }), {
    command: 'a',
  });
});

test('a patch makes of every service every other one, and says nothing of what stays', () => {
  for (const from of examples) {
    for (const to of examples) {
      const [before, after] = [specSchema.parse(from), specSchema.parse(to)];
      const current = declaredFields(schema, serviceOf(from));
      const patch = patchBetween(schema, current, { ...to, arguments: to['arguments'] ?? {} });
      assert.deepEqual(applyPatch(before, patch), after);
      if (from === to) assert.deepEqual(withoutDefaults(schema, { ...patch, env: {} }), {});
    }
  }
});

test('a variable may be named as what every object inherits', () => {
  const [without, withOne] = [{ command: 'a' }, { command: 'a', env: { constructor: 'x', toString: 'y' } }];
  assert.deepEqual(patchBetween(schema, without, withOne), { env: withOne.env });
  const { toString: _, ...env } = withOne.env;
  assert.deepEqual(patchBetween(schema, withOne, { ...withOne, env }), { env: { toString: null } });
});

test('a hidden value that nobody touched is never sent, one that was taken out is', () => {
  const from = { command: 'a', env: { TOKEN: 'secret', OLD: 'x' } };
  const current = declaredFields(schema, serviceOf(from));
  assert.deepEqual(current['env'], { TOKEN: '***', OLD: '***' });
  const patch = patchBetween(schema, current, { command: 'b', env: { TOKEN: '***', NEW: 'y' } });
  assert.deepEqual(patch, { command: 'b', env: { OLD: null, NEW: 'y' } });
  assert.deepEqual(applyPatch(specSchema.parse(from), patch).env, { TOKEN: 'secret', NEW: 'y' });
});

test('what a pipeline brought stays where nothing is said of it', () => {
  const artifact = { sha256: 'a'.repeat(64) };
  const from = { command: 'a', artifact, parameters: { size: {} }, arguments: { size: 'm' } };
  const { arguments: _, ...current } = declaredFields(schema, serviceOf(from));
  assert.ok(!('artifact' in current));
  assert.deepEqual(patchBetween(schema, declaredFields(schema, serviceOf(from)), current), {});
  assert.deepEqual(patchBetween(schema, current, { ...current, artifact: null }), { artifact: null });
});

test('how many instances somebody asked for is what there is', () => {
  const service = serviceOf({ command: 'a', instances: 2 }, 5);
  const current = declaredFields(schema, service);
  assert.equal(current['instances'], 5);
  assert.deepEqual(patchBetween(schema, current, { command: 'b', instances: 5 }), { command: 'b' });
});

test('the call does what the plan says', () => {
  const cost = { restarts: [], starts: [], stops: [], connections: null, ports: [] };
  const step = (action: PlanStep['action'], restarts: number[] = []): PlanStep => ({
    service: 'web',
    action,
    changes: [],
    cost: { ...cost, restarts },
    reason: '',
  });
  const running = serviceOf({ command: 'a' });
  const patch = { instances: 2 };
  assert.equal(callFor(step('create'), patch, null)?.path, '/services/web/deploy');
  assert.equal(callFor(step('deploy', [1]), patch, running)?.path, '/services/web/deploy');
  assert.deepEqual(callFor(step('scale'), patch, running), {
    method: 'patch',
    path: '/services/web',
    body: patch,
  });
  assert.equal(callFor(step('deploy'), patch, null)?.method, 'post');
  assert.equal(callFor(step('start'), {}, running)?.path, '/services/web/start');
  assert.equal(callFor(step('none'), {}, running), null);
  assert.equal(callFor(step('adopt'), {}, running), null);
  assert.deepEqual(JSON.parse(planSource('web', { command: 'a' })).services, { web: { command: 'a' } });
});

test('what the schema says is checked before the agent is asked', () => {
  const told = (given: Fields) => problemsOf(schema, given).map(({ path, name }) => `${path} ${name}`);
  for (const given of examples) assert.deepEqual(told(given), []);
  assert.deepEqual(told({ port: 70_000 }), ['port greatest']);
  assert.deepEqual(told({ port: 'automatic' }), ['port misfit']);
  assert.deepEqual(told({ instances: 0 }), ['instances least']);
  assert.deepEqual(told({ instances: 1.5 }), ['instances whole']);
  assert.deepEqual(told({ instances: 'two' }), ['instances misfit']);
  assert.deepEqual(told({ stop: { timeout: '5' } }), ['stop.timeout form_like']);
  assert.deepEqual(told({ cwd: '/a', env: { '1A': 'x', B: null } }), ['env.1A form', 'env.B missing']);
  assert.deepEqual(told({ stop: { timeout: 5 } }), ['stop.timeout form_like']);
  assert.deepEqual(told({ readiness: { type: 'exec' } }), ['readiness.command missing']);
  assert.deepEqual(told({ readiness: { type: 'http', path: 'health' } }), ['readiness.path form']);
  assert.deepEqual(told({ routes: [{ hosts: ['a b'] }, {}] }), ['routes.0.hosts.0 form']);
  assert.deepEqual(told({ comand: 'a' }), ['comand unknown']);
  const inherited = JSON.parse('{"constructor":1,"__proto__":2,"env":{"constructor":{},"__proto__":"x"}}');
  const problems = ['constructor unknown', '__proto__ unknown', 'env.constructor misfit'];
  assert.deepEqual(told(inherited), problems);
  assert.deepEqual(told({ type: 'job' }), ['type misfit']);
});

test('a change by the form keeps comments, order and the way that lists are written', () => {
  const text =
    '# The shop\ncommand: [node, server.js] # quick\n\n# outside\nport: 8080\nenv:\n  A: "1"\n  B: "2"\n';
  const read = new ServiceText(text);
  assert.equal(read.with(['port'], 'auto'), text.replace('8080', 'auto'));
  assert.equal(read.with(['command'], ['bun', 'x']), text.replace('[node, server.js]', '[bun, x]'));
  assert.equal(read.with(['limits', 'memory'], '1GB'), `${text}limits:\n  memory: 1GB\n`);
  assert.equal(read.renamed(['env'], 'A', 'Z'), text.replace('A:', 'Z:'));
  assert.equal(read.without(['env', 'A']), text.replace('  A: "1"\n', ''));
  assert.equal(new ServiceText(read.with(['env', 'C'], '007')).value['env']?.['C' as never], '007');
});

test('what is empty goes with its last field, as far as it may', () => {
  const read = new ServiceText(
    'command: a\nrestart:\n  backoff:\n    max: 1m\nschedule:\n  cron: "@daily"\n',
  );
  assert.equal(read.without(['restart', 'backoff', 'max']), 'command: a\nschedule:\n  cron: "@daily"\n');
  assert.deepEqual(new ServiceText(read.without(['schedule', 'cron'], 1)).value['schedule'], {});
  assert.equal(new ServiceText('command: a\n').without(['command']), '');
  assert.equal(new ServiceText('').with(['command'], 'a'), 'command: a\n');
  assert.equal(new ServiceText('# note\n').with(['port'], 1).includes('# note'), true);
});

test('a text that cannot be read says where', () => {
  const problem = (text: string) => new ServiceText(text).problem;
  assert.equal(problem(''), null);
  assert.deepEqual(
    [problem('command: a\n  port: 1')?.line, problem('a: [1\nb: 2')?.line !== undefined],
    [1, true],
  );
  assert.equal(problem('- a')?.line, 1);
  assert.equal(problem('a: 1\na: 2')?.line, 2);
  assert.ok(problem('a: *nowhere'));
  assert.ok(problem('a: !secret x'));
  assert.equal(new ServiceText('port: 1\nroutes:\n  - hosts: [a]\n').lineOf(['routes', 0, 'hosts']), 3);
});

test('what a text says by anchors is read, and not written over', () => {
  const read = new ServiceText('x: &one {timeout: 9s}\nstop: *one\nenv: {<<: {A: "1"}, B: "2"}\n');
  assert.deepEqual(read.value['stop'], { timeout: '9s' });
  assert.deepEqual(read.value['env'], { A: '1', B: '2' });
  assert.ok(read.isLinked(['stop', 'timeout']));
  assert.ok(!read.isLinked(['env', 'B']));
});

test('a draft holds no value of a variable, wherever it was written', () => {
  const text =
    '# pw: hunter2\ncommand: a\nenv:\n  # was hunter1\n  A: hunter2 # old: hunter3\n  B: "***"\n  <<: {C: hunter4}\n';
  const kept = new ServiceText(text).withoutSecrets();
  assert.doesNotMatch(kept, /hunter/);
  assert.deepEqual(new ServiceText(kept).value, { command: 'a', env: { A: null, B: '***', C: null } });
  assert.deepEqual(
    problemsOf(schema, new ServiceText(kept).value).map(({ path }) => path),
    ['env.A', 'env.C'],
  );
  assert.equal(new ServiceText('env: hunter2').withoutSecrets(), '');
});

test('whatever is written as YAML is read again as it was', () => {
  for (const given of examples) assert.deepEqual(new ServiceText(textOfFields(given)).value, given);
  const odd = {
    command: '  spaces: # and\n\tmore\n',
    env: { A: 'null', B: '1e3', C: '', D: '*x', E: "'", F: 'ja: nein' },
  };
  assert.deepEqual(new ServiceText(textOfFields(odd)).value, odd);
  assert.deepEqual(new ServiceText(new ServiceText('').with(['env'], odd.env)).value['env'], odd.env);
});
