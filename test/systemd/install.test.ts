import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { Machine, machineObstacle, type Outcome } from './machine.ts';

const source = resolve(import.meta.dirname, '../../systemd');
const ready = 'systemd-notify --ready; exec sleep infinity';

/** A script that does towards systemd and install.sh what davit does. */
function standIn(version: string, agent = ready): string {
  const unit = readFileSync(join(source, 'davit.service'), 'utf8').replace('/usr/local/bin/davit', '$0');
  return `#!/bin/sh
case $1 in
  --version) echo 'davit ${version}' ;;
  systemd) cat <<'UNIT'
${unit}
UNIT
    ;;
  agent) ${agent} ;;
esac
`;
}

/** The first bytes of an ELF file for a machine of this number. */
function elf(machine: number): Buffer {
  const head = Buffer.alloc(64);
  head.write('\x7fELF', 'latin1');
  head.writeUInt16LE(machine, 18);
  return head;
}

// The first boot of all fetches a Debian.
describe('install.sh', { skip: machineObstacle(), timeout: 300_000 }, () => {
  let machine: Machine;
  before(async () => {
    machine = await Machine.boot();
    mkdirSync(machine.file('/root/download'));
    copyFileSync(join(source, 'install.sh'), machine.file('/root/download/install.sh'));
  });
  after(() => machine[Symbol.asyncDispose]());
  afterEach(async () => {
    await script('uninstall', '--purge');
    rmSync(machine.file('/run/systemd/system/davit.service.d'), { recursive: true, force: true });
  });

  function script(...args: readonly string[]): Promise<Outcome> {
    return machine.try('sh', '/root/download/install.sh', ...args);
  }

  function download(program: string | Buffer, name = 'davit'): string {
    const file = `/root/download/${name}`;
    writeFileSync(machine.file(file), program);
    return file;
  }

  async function install(program: string | Buffer, ...options: readonly string[]): Promise<Outcome> {
    return script('--binary', download(program), ...options);
  }

  async function installed(program: string, ...options: readonly string[]): Promise<string> {
    const { code, output } = await install(program, ...options);
    assert.equal(code, 0, output);
    return output;
  }

  /** Whether anything of davit is on the machine. */
  function isClean(): boolean {
    const places = ['/usr/local/bin', '/etc/systemd/system'].map((folder) => machine.file(folder));
    return places.every((place) => !existsSync(`${place}/davit`) && !existsSync(`${place}/davit.service`));
  }

  const mode = (file: string) => (statSync(machine.file(file)).mode & 0o7777).toString(8);

  test('installs from the script and the binary alone, starts davit, and says what to do next', async () => {
    const output = await installed(standIn('1.0.0'));
    assert.match(output, /^davit 1\.0\.0 runs\.$/m);
    assert.match(output, /admin key\s+\/var\/lib\/davit\/admin\.key/);
    assert.match(output, /curl -H "Authorization: Bearer \$\(cat \/var\/lib\/davit\/admin\.key\)"/);
    assert.equal(await machine.unit('ActiveState'), 'active');
    assert.equal(await machine.unit('UnitFileState'), 'enabled');
    assert.deepEqual(['/usr/local/bin/davit', '/etc/systemd/system/davit.service'].map(mode), ['755', '644']);
    assert.deepEqual(['/etc/davit', '/etc/davit/davit.yaml', '/etc/davit/davit.env'].map(mode), [
      '750',
      '640',
      '640',
    ]);
    assert.equal(mode('/var/lib/davit'), '700');
  });

  test('an upgrade keeps what the administrator wrote, and the version before it', async () => {
    await installed(standIn('1.0.0'));
    writeFileSync(machine.file('/etc/davit/davit.yaml'), 'listen: 127.0.0.1:9999\n');
    rmSync(machine.file('/etc/davit/davit.env'));
    const output = await installed(standIn('2.0.0'));
    assert.match(output, /^davit 2\.0\.0 runs\.$/m);
    assert.doesNotMatch(output, /curl/);
    assert.equal(readFileSync(machine.file('/etc/davit/davit.yaml'), 'utf8'), 'listen: 127.0.0.1:9999\n');
    assert.ok(existsSync(machine.file('/etc/davit/davit.env')));
    assert.equal(await machine.run('/usr/local/bin/davit', '--version'), 'davit 2.0.0');
    assert.equal(await machine.run('/usr/local/bin/davit.previous', '--version'), 'davit 1.0.0');
  });

  test('the previous version can be installed by its name', async () => {
    await installed(standIn('1.0.0'));
    await installed(standIn('2.0.0'));
    const { code, output } = await script('--binary', '/usr/local/bin/davit.previous');
    assert.equal(code, 0, output);
    assert.equal(await machine.run('/usr/local/bin/davit', '--version'), 'davit 1.0.0');
    assert.equal(await machine.run('/usr/local/bin/davit.previous', '--version'), 'davit 2.0.0');
  });

  for (const [what, agent] of [
    ['ends at once', 'echo "the port is taken" >&2; exit 1'],
    ['never becomes ready', 'echo "the port is taken" >&2; exec sleep infinity'],
  ] as const) {
    test(`a version that ${what} is taken back`, async () => {
      await installed(standIn('1.0.0'));
      const settings = machine.file('/run/systemd/system/davit.service.d');
      mkdirSync(settings, { recursive: true });
      writeFileSync(`${settings}/timeout.conf`, '[Service]\nTimeoutStartSec=1s\n');
      const { code, output } = await install(standIn('2.0.0', agent));
      assert.equal(code, 1);
      assert.match(output, /did not become ready\. Its last lines:\n(.*\n)*the port is taken/);
      assert.match(output, /the previous version is back in its place and runs/);
      assert.equal(await machine.run('/usr/local/bin/davit', '--version'), 'davit 1.0.0');
      assert.equal(await machine.unit('ActiveState'), 'active');
    });
  }

  test('a first version that does not become ready stays, to be mended', async () => {
    const { code, output } = await install(standIn('1.0.0', 'exit 1'));
    assert.equal(code, 1);
    assert.match(output, /davit is installed, but does not run/);
  });

  test('a binary with another checksum changes nothing', async () => {
    const { code, output } = await install(standIn('1.0.0'), '--sha256', '0'.repeat(64));
    assert.equal(code, 1);
    assert.match(
      output,
      /davit is not what it should be, so nothing was changed: its checksum is [0-9a-f]{64}, not 0{64}/,
    );
    assert.ok(isClean());
    assert.ok(!existsSync(machine.file('/usr/local/bin/davit.new')));
  });

  test('the checksum may stand in a list, under the name of the file', async () => {
    const sum = createHash('sha256').update(standIn('1.0.0')).digest('hex');
    const sums = download(`${'0'.repeat(64)}  davit-linux-arm64\n${sum} *dist/davit\n`, 'SHA256SUMS');
    assert.doesNotMatch(await installed(standIn('1.0.0'), '--sums', sums), /not checked/);
    download(standIn('1.0.0'), 'davit-1.0');
    const { code, output } = await script('--binary', '/root/download/davit-1.0', '--sums', sums);
    assert.equal(code, 1);
    assert.match(output, /SHA256SUMS has no checksum for a file named davit-1\.0/);
  });

  test('a binary that cannot run here changes nothing, and is told apart', async () => {
    const cases: [program: string | Buffer, reason: RegExp][] = [
      [elf(process.arch === 'arm64' ? 0x3e : 0xb7), /davit is for (aarch64|x86_64), but this host is/],
      [elf(0x28), /davit is for another kind of machine, but this host is/],
      [Buffer.from('MZ\x90\0'), /davit is a program for Windows/],
      [
        '#!/bin/sh\necho "libstdc++ is missing"; exit 127',
        /does not run on this host.*: libstdc\+\+ is missing/,
      ],
    ];
    for (const [program, reason] of cases) {
      const { code, output } = await install(program);
      assert.equal(code, 1);
      assert.match(output, reason);
      assert.ok(isClean());
    }
  });

  test('another place can be chosen, and an upgrade stays there', async () => {
    await installed(standIn('1.0.0'), '--prefix', '/opt/davit');
    await installed(standIn('2.0.0'));
    assert.equal(await machine.run('/opt/davit/bin/davit', '--version'), 'davit 2.0.0');
    assert.match(
      await machine.unit('ExecStart'),
      /path=\/opt\/davit\/bin\/davit ; argv\[\]=\/opt\/davit\/bin\/davit agent ;/,
    );
    assert.ok(!existsSync(machine.file('/usr/local/bin/davit')));
  });

  test('with --no-start, all is in place and nothing runs', async () => {
    assert.match(
      await installed(standIn('1.0.0'), '--no-start'),
      /davit 1\.0\.0 is installed\. It starts with the host/,
    );
    assert.equal(await machine.unit('ActiveState'), 'inactive');
    assert.equal(await machine.unit('UnitFileState'), 'enabled');
  });

  test('an uninstall leaves services, state and settings; --purge leaves nothing', async () => {
    const agent = `setsid sleep 1000 & ${ready}`;
    await installed(standIn('1.0.0', agent));
    writeFileSync(machine.file('/var/lib/davit/admin.key'), 'secret');
    const { output } = await script('uninstall');
    assert.match(output, /What stays: its services \(1 processes\), \/var\/lib\/davit and \/etc\/davit/);
    assert.ok(isClean());
    assert.ok(existsSync(machine.file('/var/lib/davit/admin.key')));
    assert.ok(existsSync(machine.file('/etc/davit/davit.yaml')));
    const services = () =>
      machine.run('sh', '-c', 'cat /sys/fs/cgroup/system.slice/davit.service/cgroup.procs 2>/dev/null || :');
    const before = await services();
    assert.match(before, /^\d+$/);

    await installed(standIn('1.0.0'));
    assert.match(await services(), new RegExp(`^${before}$`, 'm'));

    const purge = await script('uninstall', '--purge');
    assert.match(purge.output, /davit, its services, \/var\/lib\/davit and \/etc\/davit are gone/);
    assert.equal(await services(), '');
    for (const place of ['/var/lib/davit', '/etc/davit']) assert.ok(!existsSync(machine.file(place)));
  });

  test('--purge ends the instances of this agent that are units, and those of no other agent', async () => {
    const own = createHash('sha256').update('/var/lib/davit/instances').digest('hex').slice(0, 8);
    const [ours, others] = [`davit-${own}-1.service`, 'davit-00000000-1.service'];
    await installed(standIn('1.0.0'));
    for (const unit of [ours, others])
      await machine.run('systemd-run', '--collect', '--slice=davit.slice', `--unit=${unit}`, 'sleep', '1000');
    const { output } = await script('uninstall');
    assert.match(output, /What stays: its services \(1 processes\)/);
    await script('uninstall', '--purge');
    assert.equal((await machine.try('systemctl', 'is-active', ours, others)).output, 'inactive\nactive\n');
    await machine.run('systemctl', 'stop', others);
  });

  test('says in one line what stands in its way', async () => {
    const file = download(standIn('1.0.0'));
    const inNamespace = (prepare: string) => [
      'unshare',
      '--mount',
      'sh',
      '-c',
      `${prepare} && exec "$@"`,
      'sh',
    ];
    const readOnly = 'mount --bind /usr /usr && mount -o remount,bind,ro /usr';
    const cases: [wrapper: string[], args: string[], line: RegExp][] = [
      [[], [], /which davit\? Name it: --binary/],
      [[], ['--binary'], /--binary needs a value/],
      [[], ['--binary', '/nowhere'], /there is no file \/nowhere/],
      [[], ['--binary', file, '--frobnicate'], /--frobnicate is not an option/],
      [[], ['--binary', file, '--sums', '/nowhere'], /there is no file \/nowhere/],
      [[], ['--binary', file, '--sums', file, '--sha256', 'x'], /not both/],
      [[], ['--binary', file, '--prefix', 'opt'], /--prefix must be an absolute path/],
      [[], ['--binary', file, '--prefix', '/opt/a b'], /--prefix may hold only/],
      [[], ['--binary', file, '--purge'], /--purge goes with uninstall/],
      [[], ['uninstall', '--prefix', '/opt'], /uninstall takes no option but --purge/],
      [['setpriv', '--reuid=65534', '--clear-groups'], ['uninstall'], /must run as root/],
      [inNamespace('mount -t tmpfs none /run/systemd'), ['--binary', file], /does not run systemd/],
      [inNamespace(readOnly), ['--binary', file], /\/usr\/local\/bin cannot be written.*--prefix/],
    ];
    await machine.run('cp', '/root/download/install.sh', '/opt/install.sh');
    for (const [wrapper, args, line] of cases) {
      const { code, output } = await machine.try(...wrapper, 'sh', '/opt/install.sh', ...args);
      assert.equal(code, 1, output);
      const own = output.split('\n').filter((text) => text.startsWith('install.sh: '));
      assert.equal(own.length, 1, output);
      assert.match(own[0] ?? '', line);
      assert.ok(isClean());
    }
  });
});
