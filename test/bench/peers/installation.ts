import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Pinned, so that a ratio measured today can be measured again. */
const versions = {
  pm2: '7.0.4',
  supervisor: '4.3.0',
  autocannon: '8.0.0',
  'http-proxy-3': '2.0.1',
} as const;

export interface InstalledSupervisor {
  readonly version: string;
  /** The interpreter itself, so that no shim in PATH adds to the daemon's start. */
  readonly python: string;
  /** For PYTHONPATH. */
  readonly folder: string;
}

export interface InstalledPackage {
  readonly version: string;
  /** The folder of the package, with its package.json. */
  readonly folder: string;
}

const cache = join(process.env['XDG_CACHE_HOME'] ?? tmpdir(), 'davit-bench');
const run = promisify(execFile);

/** Installs into a folder of the cache unless it is there, whole or not at all. */
async function once(name: string, install: (folder: string) => Promise<unknown>): Promise<string> {
  const folder = join(cache, name);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  const unfinished = `${folder}.${process.pid}`;
  try {
    await install(unfinished);
    renameSync(unfinished, folder);
  } catch (cause) {
    const { stderr } = cause as { stderr?: string };
    const reason = stderr?.trim().split('\n').slice(-5).join('\n') ?? String(cause);
    throw new Error(
      `${name} cannot be installed into ${cache}, so there is nothing to compare with:\n${reason}`,
      {
        cause,
      },
    );
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return folder;
}

async function installPackage(name: 'pm2' | 'autocannon' | 'http-proxy-3'): Promise<InstalledPackage> {
  const version = versions[name];
  const folder = await once(`${name}-${version}`, (prefix) => {
    mkdirSync(prefix);
    return run('npm', [
      'install',
      '--prefix',
      prefix,
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      `${name}@${version}`,
    ]);
  });
  return { version, folder: join(folder, 'node_modules', name) };
}

export function installPm2(): Promise<InstalledPackage> {
  return installPackage('pm2');
}

export function installAutocannon(): Promise<InstalledPackage> {
  return installPackage('autocannon');
}

export function installHttpProxy3(): Promise<InstalledPackage> {
  return installPackage('http-proxy-3');
}

export interface InstalledProgram {
  readonly version: string;
  readonly command: string;
  /** What it needs to find its libraries. */
  readonly environment: Readonly<Record<string, string>>;
}

/** The nginx of the host, or that of Debian. */
export function installNginx(): Promise<InstalledProgram> {
  return findOrUnpack('nginx', ['nginx']);
}

/** The HAProxy of the host, or that of Debian with those of its libraries that few hosts have. */
export function installHaproxy(): Promise<InstalledProgram> {
  return findOrUnpack('haproxy', ['haproxy', 'liblua5.3-0', 'libopentracing-c-wrapper0', 'libopentracing1']);
}

/** Debian's packages are unpacked, not installed: that would start a server on the host. */
async function findOrUnpack(name: string, packages: readonly string[]): Promise<InstalledProgram> {
  for (const command of [name, `/usr/sbin/${name}`]) {
    const version = await versionOf(command, {}).catch(() => null);
    if (version !== null) return { version, command, environment: {} };
  }
  const folder = await once(`${name}-of-debian`, async (unfinished) => {
    mkdirSync(unfinished);
    await run('apt-get', ['download', '--quiet', ...packages], { cwd: unfinished });
    for (const file of readdirSync(unfinished).filter((each) => each.endsWith('.deb'))) {
      await run('dpkg', ['--extract', file, unfinished], { cwd: unfinished });
    }
  });
  const lib = join(folder, 'usr', 'lib');
  const libraries = existsSync(lib) ? readdirSync(lib).map((each) => join(lib, each)) : [];
  const environment = { LD_LIBRARY_PATH: libraries.join(':') };
  const command = join(folder, 'usr', 'sbin', name);
  return { version: await versionOf(command, environment), command, environment };
}

/** The first number with dots in it of what `-v` prints. */
async function versionOf(command: string, env: Readonly<Record<string, string>>): Promise<string> {
  const { stdout, stderr } = await run(command, ['-v'], { env: { ...process.env, ...env } });
  return /\d+(\.\d+)+/.exec(stdout + stderr)?.[0] ?? 'unknown';
}

export async function installSupervisor(): Promise<InstalledSupervisor> {
  const version = versions.supervisor;
  const folder = await once(`supervisor-${version}`, (target) =>
    run('python3', [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--disable-pip-version-check',
      '--target',
      target,
      `supervisor==${version}`,
    ]),
  );
  const { stdout } = await run('python3', ['-c', 'import sys; print(sys.executable)']);
  return { version, python: stdout.trim(), folder };
}
