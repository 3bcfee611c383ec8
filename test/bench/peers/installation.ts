import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Pinned, so that a ratio measured today can be measured again. */
const versions = { pm2: '7.0.4', supervisor: '4.3.0', autocannon: '8.0.0' } as const;

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

async function installPackage(name: 'pm2' | 'autocannon'): Promise<InstalledPackage> {
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
