import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { until } from '../helpers/system.ts';
import { debianTree } from './debian_tree.ts';

const CAP_SYS_ADMIN = 21n;
const tools = ['debootstrap', 'nsenter', 'setpriv', 'systemd-nspawn'];
// A user's PATH often lacks the folders that debootstrap needs.
const path = [process.env['PATH'], '/usr/sbin', '/usr/bin', '/sbin', '/bin'].join(delimiter);

export interface Outcome {
  readonly code: number | null;
  /** Both streams, as a terminal would show them. */
  readonly output: string;
}

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever it expects
  readonly body: any;
}

/** Why no systemd can be booted here; false when one can. Made for `test(…, { skip })`. */
export function machineObstacle(): string | false {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return 'only root on Linux can boot a systemd';
  const status = readFileSync('/proc/self/status', 'utf8');
  const capabilities = BigInt(`0x${/^CapEff:\s*(\w+)$/m.exec(status)?.[1] ?? '0'}`);
  if (((capabilities >> CAP_SYS_ADMIN) & 1n) === 0n) return 'this container may not start another';
  const missing = tools.filter(
    (tool) => !path.split(delimiter).some((folder) => isProgram(join(folder, tool))),
  );
  return missing.length > 0 && `there is no ${missing.join(', ')} here`;
}

/** A Debian under a real systemd, with a network of its own, and a disk whose changes are forgotten. */
export class Machine {
  readonly #nspawn: ChildProcess;
  readonly #groups: readonly string[];
  /** The pid of its systemd. */
  #leader = 0;

  private constructor(nspawn: ChildProcess, groups: readonly string[]) {
    this.#nspawn = nspawn;
    this.#groups = groups;
  }

  /**
   * Takes less than a second, but for the very first time, see `debianTree`.
   * @param shown folders of this host, by the places where the machine sees them; it may not change them
   */
  static async boot(shown: Readonly<Record<string, string>> = {}): Promise<Machine> {
    const tree = await debianTree({ ...process.env, PATH: path });
    const name = `davit-test-${randomBytes(4).toString('hex')}`;
    const groups = groupsNamed(name);
    for (const group of groups) mkdirSync(group);
    const machine = new Machine(startNspawn(tree, name, groups, shown), groups);
    try {
      await machine.#up();
      return machine;
    } catch (error) {
      await machine[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #up(): Promise<void> {
    const said: string[] = [];
    this.#nspawn.stdout?.on('data', (chunk) => said.push(String(chunk)));
    this.#nspawn.stderr?.on('data', (chunk) => said.push(String(chunk)));
    await until('systemd is up', async () => {
      if (this.#hasEnded()) throw new Error(`systemd-nspawn ended: ${said.join('')}`);
      const { pid } = this.#nspawn;
      this.#leader = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0]);
      if (this.#leader === 0) return false;
      const { output } = await this.try('systemctl', 'is-system-running');
      return ['running', 'degraded'].includes(output.trim());
    });
  }

  /** Where a file of the machine lies for this process. */
  file(inside: string): string {
    return `/proc/${this.#leader}/root${inside}`;
  }

  /** Runs a command in the machine, whatever comes of it. */
  try(...command: readonly string[]): Promise<Outcome> {
    const env = { PATH: path, LC_ALL: 'C.UTF-8' };
    const args = ['--target', String(this.#leader), '--all', ...command];
    return new Promise((resolve) => {
      const child = execFile('nsenter', args, { env }, (_, stdout, stderr) =>
        resolve({ code: child.exitCode, output: stdout + stderr }),
      );
    });
  }

  /** Runs a command in the machine and resolves with what it printed. Throws unless it exits 0. */
  async run(...command: readonly string[]): Promise<string> {
    const { code, output } = await this.try(...command);
    if (code !== 0) throw new Error(`${command.join(' ')} exits ${code}:\n${output}`);
    return output.trim();
  }

  /** A property of the agent's unit, as `systemctl show` has it. */
  unit(property: string): Promise<string> {
    return this.run('systemctl', 'show', '--value', '--property', property, 'davit.service');
  }

  /** All that a shutdown does to units, but for its last step. What is started afterwards is as after the next boot. */
  async almostShutDown(): Promise<void> {
    // Nobody may start shutdown.target by itself.
    const target = '[Unit]\nDefaultDependencies=no\nRequires=shutdown.target\nAfter=shutdown.target\n';
    writeFileSync(this.file('/run/systemd/system/almost-down.target'), target);
    await this.run('systemctl', 'start', 'almost-down.target');
  }

  /** Sends a request from within the machine's network. */
  async request(
    method: string,
    route: string,
    { key = '', body = undefined as unknown } = {},
  ): Promise<Answer> {
    const options = {
      method,
      headers: { 'x-api-key': key },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    };
    const { stdout } = await promisify(execFile)('nsenter', [
      ...['--target', String(this.#leader), '--net', process.execPath, '--eval', requestScript],
      ...[`http://127.0.0.1:8888${route}`, JSON.stringify(options)],
    ]);
    return JSON.parse(stdout);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A pid namespace ends with its first process, and nspawn with that.
    if (!this.#hasEnded()) process.kill(this.#leader || (this.#nspawn.pid ?? 0), 'SIGKILL');
    await until('the machine is gone', () => this.#hasEnded());
    await until('its control groups are gone', () => this.#groups.every(removeGroup));
  }

  #hasEnded(): boolean {
    return this.#nspawn.exitCode !== null || this.#nspawn.signalCode !== null;
  }
}

const requestScript = `
  const [url, options] = process.argv.slice(1);
  fetch(url, JSON.parse(options)).then(async (response) => {
    process.stdout.write(JSON.stringify({ status: response.status, body: await response.json() }));
  });`;

function startNspawn(
  tree: string,
  name: string,
  groups: readonly string[],
  shown: Readonly<Record<string, string>>,
): ChildProcess {
  const enterGroups = groups.map((group) => `echo $$ >'${group}/cgroup.procs'`).join(' && ');
  const options = [
    ...['--boot', '--directory', tree, '--read-only', '--volatile=overlay', '--machine', name],
    ...['--register=no', '--keep-unit', '--private-network', '--capability=all'],
    ...Object.entries(shown).map(([place, folder]) => `--bind-ro=${folder}:${place}`),
  ];
  // With pdeathsig, the machine ends with the tests, however those end.
  const script = `${enterGroups} && exec setpriv --pdeathsig TERM systemd-nspawn "$@"`;
  return spawn('/bin/sh', ['-c', script, 'sh', ...options], {
    env: { PATH: path, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** A control group below our own in each hierarchy that systemd uses: without, all machines would share one. */
function groupsNamed(name: string): string[] {
  const unified = ['/sys/fs/cgroup/unified', '/sys/fs/cgroup'].find((root) =>
    existsSync(`${root}/cgroup.procs`),
  );
  const lines = readFileSync('/proc/self/cgroup', 'utf8').trim().split('\n');
  return lines.flatMap((line) => {
    const [, controllers, own = ''] = /^\d+:(.*?):(.*)$/.exec(line) ?? [];
    if (controllers === 'name=systemd') return [join('/sys/fs/cgroup/systemd', own, name)];
    return controllers === '' && unified !== undefined ? [join(unified, own, name)] : [];
  });
}

/** Whether a control group is gone, with all below it. */
function removeGroup(group: string): boolean {
  if (!existsSync(group)) return true;
  for (const entry of readdirSync(group, { withFileTypes: true })) {
    if (entry.isDirectory()) removeGroup(join(group, entry.name));
  }
  try {
    rmdirSync(group);
    return true;
  } catch {
    return false;
  }
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
