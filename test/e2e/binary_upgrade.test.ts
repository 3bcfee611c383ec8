import assert from 'node:assert/strict';
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, beforeEach, describe, test } from 'node:test';
import { openDatabase, stateVersion } from '../../src/lib/database.ts';
import { migrations } from '../../src/services/schema.ts';
import { until } from '../helpers/system.ts';
import { Machine, machineObstacle, type Outcome } from '../systemd/machine.ts';

const guide = readFileSync(resolve(import.meta.dirname, '../../docs/systemd.md'), 'utf8');
const binary = process.env['DAVIT_BINARY'];
const skip = binary === undefined ? 'DAVIT_BINARY names no binary to upgrade' : machineObstacle();

const installed = '/usr/local/bin/davit';
const real = '/root/davit';
const other = '/root/davit-other';
const data = '/var/lib/davit';

/** A davit that is real but for how its agent runs. */
function standIn(agent: string, version = `exec ${real} --version`): string {
  return `#!/bin/sh
case " $* " in
  ' --version ') ${version} ;;
  *' --check '*) exec ${real} "$@" ;;
  ' agent '*) ${agent} ;;
  *) exec ${real} "$@" ;;
esac
`;
}

function setVersion(folder: string, version: number): void {
  const state = new DatabaseSync(join(folder, 'davit.db'));
  state.exec(`PRAGMA user_version = ${version}`);
  state.close();
}

describe('davit upgrade', { skip }, () => {
  let machine: Machine;
  let key = '';
  let service = 0;
  let agent = 0;

  before(async () => {
    machine = await Machine.boot();
    for (const file of [installed, real, other]) copyFileSync(resolve(binary ?? ''), machine.file(file));
    // What is appended changes no more than what the file is.
    appendFileSync(machine.file(other), '\n');
    await machine.run(
      'sh',
      '-c',
      'davit systemd >/etc/systemd/system/davit.service && systemctl start davit',
    );
    key = readFileSync(machine.file(`${data}/admin.key`), 'utf8').trim();
    const command = 'n=0; while n=$((n+1)); do echo "line $n"; sleep 0.05; done';
    const { status, body } = await machine.request('POST', '/service/web/deploy', { key, body: { command } });
    assert.equal(status, 200, JSON.stringify(body));
    service = body.pid;
  });
  after(() => machine[Symbol.asyncDispose]());
  beforeEach(async () => {
    // However the test before this one ended.
    rmSync(machine.file('/etc/davit/davit.yaml'), { force: true });
    const isAsInstalled = isSame(installed, real);
    if (!isAsInstalled) await machine.run('install', real, installed);
    if (!isAsInstalled || (await machine.unit('ActiveState')) !== 'active')
      await machine.run('systemctl', 'restart', 'davit');
    agent = await mainPid();
  });

  const mainPid = async () => Number(await machine.unit('MainPID'));
  const upgrade = (file: string, ...options: string[]) =>
    machine.try(real, 'upgrade', '--binary', file, ...options);
  // Each of the binaries has a length of its own, and a part of one would be shorter.
  const isSame = (one: string, two: string) => lengthOf(one) === lengthOf(two);
  const lengthOf = (file: string) => statSync(machine.file(file)).size;
  const inFolder = (folder: string) => readdirSync(machine.file(folder)).sort();

  function program(text: string): string {
    writeFileSync(machine.file('/root/program'), text, { mode: 0o755 });
    return '/root/program';
  }

  async function upgraded(file: string, ...options: string[]): Promise<string> {
    const { code, output } = await upgrade(file, ...options);
    assert.equal(code, 0, output);
    return output;
  }

  /** That the agent runs well, and the service as ever: the same process, and every line of it is there. */
  async function requireWell(): Promise<void> {
    assert.equal(await machine.unit('ActiveState'), 'active');
    const { body } = await machine.request('GET', '/service/web/status', { key });
    assert.deepEqual([body.status, body.pid], ['running', service]);
    const seen = await lastLine();
    await until('more of its lines arrive', async () => (await lastLine()) > seen + 2);
    const { body: logs } = await machine.request('GET', '/service/web/logs?lines=1000', { key });
    const lines: string[] = logs.lines.map(({ line }: { line: string }) => line);
    const first = Number(lines[0]?.split(' ')[1]);
    assert.deepEqual(
      lines,
      lines.map((_, index) => `line ${first + index}`),
    );
    assert.deepEqual(
      inFolder('/usr/local/bin').filter((name) => name.includes('upgrade')),
      [],
    );
    assert.deepEqual(
      inFolder(data).filter((name) => name.startsWith('check-')),
      [],
    );
  }

  /** Works on a copy of the data directory: SQLite finds no way through /proc. */
  function withCopy(work: (folder: string) => void): void {
    const folder = mkdtempSync(join(tmpdir(), 'davit-upgrade-'));
    try {
      cpSync(machine.file(data), folder, { recursive: true });
      work(folder);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  /** Changes the state, which no agent may use meanwhile. */
  function changeState(work: (folder: string) => void): void {
    withCopy((folder) => {
      work(folder);
      for (const name of ['davit.db', 'backups'])
        cpSync(join(folder, name), machine.file(`${data}/${name}`), { recursive: true });
    });
  }

  async function lastLine(): Promise<number> {
    const { body } = await machine.request('GET', '/service/web/logs?lines=1', { key });
    return Number(body.lines[0].line.split(' ')[1]);
  }

  /** That an upgrade has failed and everything is as it was, under another agent. */
  async function requireWentBack({ code, output }: Outcome): Promise<void> {
    assert.equal(code, 1, output);
    assert.match(
      output,
      /; the previous binary is back in its place and runs \(davit .*\), with every service/,
    );
    assert.ok(isSame(installed, real));
    assert.notEqual(await mainPid(), agent);
    await requireWell();
  }

  async function requireUntouched(): Promise<void> {
    assert.ok(isSame(installed, real));
    assert.equal(await mainPid(), agent);
    await requireWell();
  }

  test('the same binary is nothing to do', async () => {
    assert.match(await upgraded(real), /nothing to do: \/usr\/local\/bin\/davit is this binary already\n$/);
    await requireUntouched();
  });

  test('a dry run proves the new binary and changes nothing', async () => {
    const output = await upgraded(other, '--dry-run');
    assert.match(
      output,
      /can run with the configuration and the state in \/var\/lib\/davit: 1 services, 1 releases/,
    );
    assert.match(output, /would replace \/usr\/local\/bin\/davit/);
    await requireUntouched();
  });

  test('what is no davit, does not start here or cannot read the settings changes nothing', async () => {
    const cases: [file: string, code: number, message: RegExp][] = [
      ['/root/nothing', 2, /there is no file \/root\/nothing/],
      ['/root', 2, /\/root is no file/],
      ['/etc/passwd', 2, /\/etc\/passwd is not executable/],
      ['/bin/true', 1, /is no davit, so nothing was changed: it answers "true \(GNU coreutils\)/],
      [program('#!/bin/sh\necho "no libstdc++" >&2; exit 127'), 1, /does not start on this host.*no libstdc/],
    ];
    for (const [file, code, message] of cases) {
      const outcome = await upgrade(file);
      assert.equal(outcome.code, code, outcome.output);
      assert.match(outcome.output, message);
    }
    writeFileSync(machine.file('/etc/davit/davit.yaml'), 'listne: 127.0.0.1:8888\n');
    const { code, output } = await upgrade(other);
    assert.equal(code, 1);
    assert.match(output, /cannot run here, so nothing was changed: listne in .*davit\.yaml/);
    await requireUntouched();
  });

  test('only root may, under a systemd, and one at a time', async () => {
    const cases: [wrapper: string[], code: number, message: RegExp][] = [
      [['setpriv', '--reuid=65534', '--clear-groups'], 1, /takes root, as with sudo/],
      [
        ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none /run/systemd && exec "$@"', 'sh'],
        1,
        /no systemd/,
      ],
    ];
    copyFileSync(machine.file(real), machine.file('/opt/davit'));
    for (const [wrapper, code, message] of cases) {
      const outcome = await machine.try(...wrapper, '/opt/davit', 'upgrade', '--binary', other);
      assert.equal(outcome.code, code, outcome.output);
      assert.match(outcome.output, message);
    }
    assert.match(
      (await upgrade(other, '--unit', 'nothing')).output,
      /systemd has no unit nothing \(not-found\)/,
    );
    assert.match((await upgrade(other, '--unit', 'dbus')).output, /does not start "davit agent"/);
    await requireUntouched();
  });

  test('a good binary takes over while services run on, and the previous one can be put back', async () => {
    const output = await upgraded(other);
    assert.match(output, /answers as pid \d+; 1 services run on with the same pids/);
    assert.doesNotMatch(output, /unit of this version differs/);
    assert.ok(isSame(installed, other));
    assert.ok(isSame(`${installed}.previous`, real));
    assert.notEqual(await mainPid(), agent);
    await requireWell();

    const back = await machine.try('davit', 'upgrade', '--binary', `${installed}.previous`, '--json');
    assert.equal(back.code, 0, back.output);
    assert.match(back.output, /"upgraded": true,\n(.*\n)* {2}"services": 1\n/);
    assert.ok(isSame(installed, real));
    assert.ok(isSame(`${installed}.previous`, other));
    await requireWell();
  });

  test('one that ends at its start is taken back', async () => {
    const outcome = await upgrade(program(standIn('echo "the port is taken" >&2; exit 1')));
    await requireWentBack(outcome);
    assert.match(outcome.output, /its last lines:\n(.*\n)* +the port is taken/);
  });

  test('one that never becomes ready is taken back', async () => {
    const outcome = await upgrade(
      program(standIn('echo "still thinking"; exec sleep 1000')),
      '--timeout',
      '2s',
    );
    await requireWentBack(outcome);
    assert.match(outcome.output, /did not end within 2 s; the previous/);
    assert.match(outcome.output, /still thinking/);
  });

  test('one that becomes ready and ends is taken back', async () => {
    const killer = `until [ -e ${data}/agent.json ]; do sleep 0.1; done; sleep 1; kill -9 $$`;
    const ready = program(standIn(`(${killer}) & exec ${real} agent`));
    await requireWentBack(await upgrade(ready, '--timeout', '10s'));
  });

  test('one that answers as another version is taken back', async () => {
    const outcome = await upgrade(program(standIn(`exec ${real} "$@"`, "echo 'davit 9.9.9 (abc)'")));
    await requireWentBack(outcome);
    assert.match(outcome.output, /answers, not davit 9\.9\.9 \(abc\)/);
  });

  /** Upgrades to a binary that ends after it has migrated the state. */
  async function upgradeToMigration(environment: string): Promise<Outcome> {
    for (const name of ['started', 'done']) rmSync(machine.file(`/root/${name}`), { force: true });
    const wait = 'touch /root/started; until [ -e /root/done ]; do sleep 0.1; done; exit 1';
    const running = machine.try('env', environment, real, 'upgrade', '--binary', program(standIn(wait)));
    await until('it starts', () => existsSync(machine.file('/root/started')));
    changeState((folder) => {
      const [file, backups] = [join(folder, 'davit.db'), join(folder, 'backups')];
      const { database } = openDatabase({
        file,
        backups,
        migrations: [...migrations, 'CREATE TABLE later (x)'],
      });
      database.exec("DELETE FROM releases WHERE service = 'web'");
      database.close();
    });
    writeFileSync(machine.file('/root/done'), '');
    return await running;
  }

  test('one that ends after it has migrated the state is taken back, and the state too', async () => {
    const outcome = await upgradeToMigration('NOTHING=');
    await requireWentBack(outcome);
    assert.match(
      outcome.output,
      /the state is that of \S+\.version-\d+\.db again, from before the migration; the migrated one is kept as \S+davit\.db\.newer-/,
    );
    const { body } = await machine.request('GET', '/api/v1/services/web/releases', { key });
    assert.equal(body.releases.length, 1);
    const info = await machine.request('GET', '/api/v1/agent', { key });
    assert.deepEqual(
      info.body.warnings.filter((text: string) => text.includes('state')),
      [],
    );
    const kept = inFolder(data).find((name) => name.startsWith('davit.db.newer-')) ?? '';
    withCopy((folder) => assert.equal(stateVersion(join(folder, kept)), migrations.length + 1));
  });

  test('killed while it takes the state back, it leaves an agent that does so at its start', async () => {
    const killed = await upgradeToMigration('DAVIT_TEST_FAIL_POINTS=upgrade.stopped=kill');
    assert.match(killed.output, /fail point upgrade\.stopped/);
    assert.ok(isSame(installed, real));
    await machine.run('systemctl', 'start', 'davit');
    await requireWell();
    const { body } = await machine.request('GET', '/api/v1/services/web/releases', { key });
    assert.equal(body.releases.length, 1);
    const info = await machine.request('GET', '/api/v1/agent', { key });
    assert.match(
      info.body.warnings.join('\n'),
      /newer version .*kept as(.|\n)*started with the backup .*\.version-/,
    );
    // With that said, it is as ever again.
    await machine.run('systemctl', 'restart', 'davit');
  });

  test('a state that a newer davit wrote is refused before anything is changed', async () => {
    await machine.run('systemctl', 'stop', 'davit');
    changeState((folder) => setVersion(folder, migrations.length + 1));
    const { code, output } = await upgrade(other);
    assert.equal(code, 1, output);
    assert.match(output, /cannot run here, so nothing was changed: .*written by a newer version/);
    changeState((folder) => setVersion(folder, migrations.length));
    assert.ok(isSame(installed, real));
    await machine.run('systemctl', 'start', 'davit');
    await requireWell();
  });

  test('an agent that is stopped is upgraded too', async () => {
    await machine.run('systemctl', 'stop', 'davit');
    const failed = await upgrade(program(standIn('exit 1')));
    assert.equal(failed.code, 1);
    assert.match(failed.output, /the previous binary is back in its place$/m);
    assert.equal(await machine.unit('ActiveState'), 'inactive');
    await upgraded(other);
    await requireWell();
  });

  for (const point of ['staged', 'kept', 'swapped', 'restarted']) {
    test(`killed when it has ${point}, it leaves a whole binary, and the next upgrade takes it from there`, async () => {
      const killed = await machine.try(
        'env',
        `DAVIT_TEST_FAIL_POINTS=upgrade.${point}=kill`,
        real,
        'upgrade',
        '--binary',
        other,
      );
      assert.match(killed.output, /fail point upgrade/);
      const isNew = isSame(installed, other);
      assert.ok(isNew || isSame(installed, real));
      if (isNew) assert.ok(isSame(`${installed}.previous`, real));
      const { body } = await machine.request('GET', '/service/web/status', { key });
      assert.deepEqual([body.status, body.pid], ['running', service]);
      await upgraded(other);
      assert.ok(isSame(installed, other));
      assert.ok(isSame(`${installed}.previous`, real));
      await requireWell();
    });
  }

  test("the guide's way back to the state from before a migration is as it says", async () => {
    await machine.run('systemctl', 'stop', 'davit');
    changeState((folder) => {
      const [file, backups] = [join(folder, 'davit.db'), join(folder, 'backups')];
      openDatabase({ file, backups, migrations: [...migrations, 'CREATE TABLE later (x)'] }).database.close();
    });
    await machine.run('cp', other, `${installed}.previous`);
    const kept = inFolder(`${data}/backups`).findLast((name) => name.includes('.version-')) ?? '';
    const [, block = ''] = /lose what was deployed since:\n\n```sh\n([^`]*)```/.exec(guide) ?? [];
    const steps = block.replaceAll('sudo ', '').replace(/2026-\S+Z\.version-1\.db/, kept);
    assert.match(steps, /cp backups\/\S+\.version-\d+\.db davit\.db/);
    await machine.run('sh', '-e', '-c', steps);
    assert.ok(isSame(installed, other));
    await requireWell();
  });

  for (const [signal, expected, message] of [
    ['INT', 130, /interrupted; the previous binary is back in its place and runs/],
    ['HUP', 1, /the new binary failed: .*; the previous binary is back in its place and runs/],
  ] as const) {
    test(`it goes back all the same when it gets SIG${signal} before the new binary is ready`, async () => {
      rmSync(machine.file('/root/begun'), { force: true });
      const never = program(standIn('touch /root/begun; exec sleep 1000'));
      const command = `echo $$ >/root/upgrade.pid; exec ${real} upgrade --binary ${never} --timeout 10s`;
      const running = machine.try('sh', '-c', command);
      await until('the new one starts', () => existsSync(machine.file('/root/begun')));
      await machine.run('sh', '-c', `kill -${signal} $(cat /root/upgrade.pid)`);
      const { code, output } = await running;
      assert.equal(code, expected, output);
      assert.match(output, message);
      assert.ok(isSame(installed, real));
      await requireWell();
    });
  }

  test('where services end with the agent, they run again after it', async () => {
    writeFileSync(machine.file('/etc/davit/davit.yaml'), 'stop_services: true\n');
    await machine.run('systemctl', 'reload', 'davit');
    assert.match(await upgraded(other), /1 services run again/);
    const { body } = await machine.request('GET', '/service/web/status', { key });
    assert.notEqual(body.pid, service);
    service = body.pid;
    writeFileSync(machine.file('/etc/davit/davit.yaml'), '');
    await machine.run('systemctl', 'reload', 'davit');
  });

  test('the environment, the flags and the link of the unit are heeded', async () => {
    const folder = machine.file('/run/systemd/system/davit.service.d');
    mkdirSync(folder, { recursive: true });
    mkdirSync(machine.file('/opt/bin'));
    await machine.run('cp', real, '/opt/bin/davit-1');
    await machine.run('ln', '-s', '/opt/bin/davit-1', '/opt/bin/davit');
    await machine.run('cp', '-r', data, '/root/state dir');
    writeFileSync(
      `${folder}/place.conf`,
      '[Service]\nExecStart=\nExecStart=/opt/bin/davit agent --log-level $LEVEL --data "/root/state dir"\nEnvironment="LEVEL=debug"\n',
    );
    await machine.run('systemctl', 'daemon-reload');
    await machine.run('systemctl', 'restart', 'davit');
    const output = await upgraded(other);
    assert.match(output, /the state in \/root\/state dir: 1 services/);
    assert.match(output, /note: the unit of this version differs/);
    assert.ok(isSame('/opt/bin/davit-1', other));
    assert.equal(await machine.run('readlink', '/opt/bin/davit'), '/opt/bin/davit-1');
    assert.ok(isSame(installed, real));
  });
});

test("an agent under a user's own systemd is upgraded without root", { skip }, async () => {
  await using machine = await Machine.boot();
  await machine.run('sh', '-c', 'useradd --create-home --uid 1000 me && loginctl enable-linger me');
  await until('their systemd is up', () => existsSync(machine.file('/run/user/1000/systemd/private')));
  const credentials = ['setpriv', '--reuid=1000', '--regid=1000', '--init-groups'];
  const place = [
    '--chdir=/home/me',
    'HOME=/home/me',
    'XDG_RUNTIME_DIR=/run/user/1000',
    'PATH=/home/me:/usr/bin:/bin',
  ];
  const asUser = (...command: string[]) => machine.run(...credentials, 'env', ...place, ...command);
  for (const name of ['download', 'davit'])
    copyFileSync(resolve(binary ?? ''), machine.file(`/home/me/${name}`));
  appendFileSync(machine.file('/home/me/download'), '\n');
  await machine.run('chown', 'me:', '/home/me/davit', '/home/me/download');
  const unit = '.config/systemd/user/davit.service';
  await asUser('sh', '-c', `mkdir -p .config/systemd/user && davit systemd --user >${unit}`);
  await asUser('systemctl', '--user', 'start', 'davit');
  await asUser('davit', 'deploy', 'web', '--', 'sleep', '1000');
  const before = await asUser('davit', 'status', 'web', '--json');
  const output = await asUser('davit', 'upgrade', '--user', '--binary', 'download');
  assert.match(output, /the state in \/home\/me\/\.local\/state\/davit: 1 services/);
  assert.match(output, /1 services run on with the same pids/);
  const pid = (text: string) => JSON.parse(text).status.pid;
  assert.equal(pid(await asUser('davit', 'status', 'web', '--json')), pid(before));
});
