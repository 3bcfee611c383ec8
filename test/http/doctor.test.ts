import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { configSchema } from '../../src/config/schema.ts';
import { Doctor } from '../../src/http/doctor.ts';

const folder = mkdtempSync(join(tmpdir(), 'davit-doctor-'));
after(() => rmSync(folder, { recursive: true }));

const report = { healthy: true, findings: [{ check: 'clock', state: 'ok', message: 'well', advice: null }] };
const origins = {
  file: '/etc/davit/davit.yaml',
  from_file: { port_range: '1-2' },
  from_environment: { log_level: 'warn' },
  from_flags: { listen: '127.0.0.1:0', stop_services: false },
};
const loaded = { config: configSchema.parse({ data: '/data' }), origins };
const environment = {
  PATH: process.env['PATH'],
  DAVIT_KEY: 'hunter2',
  DAVIT_URL: 'http://far',
  SECRET: 'hunter2',
};

/** A doctor that is this script of a shell; its arguments are $0 and those after it. */
const doctorOf = (script: string, timeout?: number) =>
  new Doctor({ command: ['/bin/sh', '-c', script], loaded, environment, ...(timeout && { timeout }) });
const print = (value: unknown) => `echo '${JSON.stringify(value)}'`;

test('what it prints is the report, also where it ends with 1 for a problem', async () => {
  for (const script of [print(report), `${print(report)}; exit 1`]) {
    const { took_ms, ...said } = await doctorOf(script).diagnose();
    assert.deepEqual(said, report);
    assert.ok(took_ms >= 0);
  }
});

test('calls meanwhile share a run, and later ones begin another', async () => {
  const runs = join(folder, 'runs');
  appendFileSync(runs, '');
  const doctor = doctorOf(`echo run >> ${runs}; ${print(report)}`);
  const [first, second] = await Promise.all([doctor.diagnose(), doctor.diagnose()]);
  assert.equal(first, second);
  assert.equal(readFileSync(runs, 'utf8'), 'run\n');
  await doctor.diagnose();
  assert.equal(readFileSync(runs, 'utf8'), 'run\nrun\n');
});

test('it gets the settings of the agent, what a program needs, and nothing else', async () => {
  const file = join(folder, 'seen');
  await doctorOf(`(echo "$0 $*"; env) > ${file}; ${print(report)}`).diagnose();
  const [args, ...variables] = readFileSync(file, 'utf8').trimEnd().split('\n');
  assert.equal(args, 'doctor --json --context local --data /data --config /etc/davit/davit.yaml');
  const own = variables.filter((line) => !/^(PWD|OLDPWD|SHLVL|_|PATH)=/.test(line)).sort();
  assert.deepEqual(own, ['DAVIT_LISTEN=127.0.0.1:0', 'DAVIT_LOG_LEVEL=warn', 'DAVIT_STOP_SERVICES=false']);
});

for (const [what, script, message] of [
  [
    'ends with an error of its own',
    `${print({ error: 'the key is gone', code: 'key' })}; exit 4`,
    /the key is gone$/,
  ],
  ['complains', 'echo "no room" >&2; echo more >&2; exit 2', /: no room$/],
  ['prints no report', 'echo hello', /it printed no report$/],
  ['prints another report', print({ healthy: 'yes' }), /it printed no report$/],
  ['prints more than anybody reads', 'yes', /maxBuffer/],
] as const) {
  test(`one that ${what} is an error with its cause`, async () => {
    await assert.rejects(doctorOf(script).diagnose(), { code: 'doctor_failed', message });
  });
}

test('a program that is not there is an error with its cause', async () => {
  const doctor = new Doctor({ command: ['/no/such/davit'], loaded, environment });
  await assert.rejects(doctor.diagnose(), {
    code: 'doctor_failed',
    message: /spawn \/no\/such\/davit ENOENT/,
  });
});

test('one that does not end is ended, and so is one whose agent ends', async () => {
  await assert.rejects(doctorOf('exec sleep 1000', 100).diagnose(), { message: /did not end within 0\.1 s/ });
  const doctor = doctorOf('exec sleep 1000');
  const running = doctor.diagnose();
  doctor.close();
  await assert.rejects(running, { code: 'doctor_failed', message: /aborted/ });
});
