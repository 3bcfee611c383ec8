import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { version } from '../../src/lib/version.ts';

const root = join(import.meta.dirname, '../..');
const libraries = '/usr/aarch64-linux-gnu';

/** Why this cannot run here, or false. Building is part of testing the binary, and not of testing the source. */
function reasonToSkip(): string | false {
  if (!process.env['DAVIT_BINARY']) return 'only together with DAVIT_BINARY';
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'emulates arm64 on linux-x64 only';
  const emulator = spawnSync('qemu-aarch64-static', ['-L', libraries, '--version']);
  return emulator.error ? 'needs qemu-user-static and libstdc++6-arm64-cross' : false;
}

test('a binary that was built for arm64 runs there', { skip: reasonToSkip() }, () => {
  execFileSync(process.execPath, ['src/packaging/build.ts', '--target', 'linux-arm64'], {
    cwd: root,
    stdio: 'pipe',
  });
  const args = ['-L', libraries, join(root, 'dist/davit-linux-arm64'), '--version'];
  assert.ok(execFileSync('qemu-aarch64-static', args, { encoding: 'utf8' }).includes(version));
});
