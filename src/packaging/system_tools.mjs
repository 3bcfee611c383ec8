// @ts-check
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The commands (or files, by absolute path) that we use beside Node, and the Debian package that brings each.
 * @type {{ readonly build: Readonly<Record<string, string>>, readonly tests: Readonly<Record<string, string>> }}
 */
export const systemTools = {
  build: {
    strip: 'binutils',
  },
  tests: {
    '/usr/aarch64-linux-gnu/lib/libstdc++.so.6': 'libstdc++6-arm64-cross',
    'aarch64-linux-gnu-strip': 'binutils-aarch64-linux-gnu',
    // Chinese letters, for the pages of the console.
    '/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf': 'fonts-droid-fallback',
    chromium: 'chromium',
    curl: 'curl',
    debootstrap: 'debootstrap',
    fish: 'fish',
    faketime: 'faketime',
    nsenter: 'util-linux',
    openssl: 'openssl',
    prlimit: 'util-linux',
    prometheus: 'prometheus',
    'prometheus-alertmanager': 'prometheus-alertmanager',
    promtool: 'prometheus',
    ps: 'procps',
    python3: 'python3',
    'qemu-aarch64-static': 'qemu-user-static',
    'redis-server': 'redis-server',
    rsyslogd: 'rsyslog',
    '/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_ossl.so': 'rsyslog-openssl',
    script: 'bsdutils',
    setpriv: 'util-linux',
    strip: 'binutils',
    'systemd-analyze': 'systemd',
    'systemd-nspawn': 'systemd-container',
    unshare: 'util-linux',
    zsh: 'zsh',
  },
};

// A user's PATH often lacks the system's folders, where debootstrap lives.
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const LOCK_PATIENCE_SECONDS = 120;

/**
 * Installs what is missing of `tools` when this is root on a Debian; says what stays missing otherwise. It never
 * fails: what needs a missing tool says so itself.
 *
 * @param {Readonly<Record<string, string>>} tools command or file → Debian package
 * @param {(line: string) => void} say
 */
export function provideSystemTools(tools, say) {
  if (process.platform !== 'linux') return;
  const missing = missingPackages(tools);
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0 || !isOnPath('apt-get')) {
    say(`Missing, and left so (not root, or no apt-get): ${missing.join(', ')}. What needs them is skipped.`);
    return;
  }
  say(`Installing Debian packages: ${missing.join(', ')}`);
  // A list may be fresh enough already, so a failed update is no reason not to try.
  aptGet(['update']);
  if (aptGet(installing(missing)) !== 0) {
    // One package that this release does not have must not cost the others.
    for (const name of missingPackages(tools)) aptGet(installing([name]));
  }
  const left = missingPackages(tools);
  if (left.length > 0) say(`apt-get could not install ${left.join(', ')}. What needs them is skipped.`);
}

/** @param {Readonly<Record<string, string>>} tools */
function missingPackages(tools) {
  const names = Object.entries(tools).flatMap(([tool, name]) => (isPresent(tool) ? [] : [name]));
  return [...new Set(names)].sort();
}

/** @param {string} tool */
function isPresent(tool) {
  return tool.startsWith('/') ? existsSync(tool) : isOnPath(tool);
}

/** @param {string} command */
function isOnPath(command) {
  const folders = [...(process.env.PATH ?? '').split(':').filter(Boolean), ...SYSTEM_FOLDERS];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** @param {string[]} names */
function installing(names) {
  return ['install', '--yes', '--no-install-recommends', ...names];
}

/**
 * @param {string[]} args
 * @returns {number | null} the exit code
 */
function aptGet(args) {
  // Of `update` and `install`, only the latter honours the lock's timeout; update waits by trying again.
  const options = ['-qq', '-o', `DPkg::Lock::Timeout=${LOCK_PATIENCE_SECONDS}`, '-o', 'Acquire::Retries=3'];
  const deadline = Date.now() + LOCK_PATIENCE_SECONDS * 1000;
  for (;;) {
    const run = spawnSync('apt-get', [...options, ...args], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' },
      stdio: ['ignore', 'ignore', 'pipe'],
      encoding: 'utf8',
    });
    const isLocked = run.status !== 0 && /Could not get lock|Unable to lock/.test(run.stderr);
    if (!isLocked || Date.now() > deadline) {
      if (run.status !== 0) process.stderr.write(run.stderr);
      return run.status;
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_000);
  }
}
