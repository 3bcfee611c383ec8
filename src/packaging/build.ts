// `npm run build [-- --target <system>-<arch>]`: makes dist/davit, the one file that is copied to a server.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { errorMessage } from '../lib/errors.ts';
import { prepareBase } from './base.ts';
import { type BuildIdentity, bundleSource } from './bundle.ts';
import { buildConsole } from './console_build.ts';
import { packExecutable } from './executable.ts';
import { isNative, readRootJson, root, type Target, targetNamed } from './target.ts';

const dist = join(root, 'dist');
const say = (line: string) => process.stdout.write(`${line}\n`);

try {
  const { values } = parseArgs({ options: { target: { type: 'string' } } });
  const name = values.target === undefined ? 'davit' : `davit-${values.target}`;
  await buildBinary(targetNamed(values.target), name);
} catch (error) {
  process.stderr.write(`The build failed. ${errorMessage(error)}\n`);
  process.exitCode = 1;
}

async function buildBinary(target: Target, name: string): Promise<void> {
  const began = performance.now();
  const file = join(dist, target.os === 'win32' ? `${name}.exe` : name);
  const identity = { version: readRootJson('package.json').version, commit: describeCommit() };
  mkdirSync(dist, { recursive: true });
  const workFolder = mkdtempSync(join(dist, '.build-'));
  try {
    const parts = { workFolder, bundle: join(workFolder, 'davit.cjs'), base: join(workFolder, 'node') };
    await Promise.all([bundleSource(parts.bundle, identity), buildConsole()]);
    const remark = prepareBase(target, parts.base);
    if (remark) say(`Note: ${remark}.`);
    const made = join(workFolder, 'davit');
    await packExecutable(target, parts, made);
    if (isNative(target)) requireStarts(made, identity);
    // Renamed and not written over: the file may be running.
    renameSync(made, file);
    writeChecksums(workFolder);
  } finally {
    rmSync(workFolder, { recursive: true, force: true });
  }
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const megabytes = (statSync(file).size / 1e6).toFixed(1);
  say(
    `${relative(root, file)}: davit ${identity.version} (${identity.commit}), ${megabytes} MB, in ${seconds} s`,
  );
}

/** The short hash; with `-dirty` when a tracked file differs from it, since the binary is then not that commit. */
function describeCommit(): string {
  try {
    const args = ['describe', '--always', '--dirty', '--abbrev=7', '--exclude=*'];
    return execFileSync('git', args, {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return 'unknown';
  }
}

/** A binary that cannot tell its version is not left in dist. */
function requireStarts(executable: string, identity: BuildIdentity): void {
  const answer = execFileSync(executable, ['--version'], {
    env: {},
    encoding: 'utf8',
    timeout: 10_000,
  }).trim();
  if (answer.includes(identity.version) && answer.includes(identity.commit)) return;
  throw new Error(`The new binary answers "${answer}" to --version`);
}

/** Lists the checksum of every binary in dist, as `sha256sum --check` reads it. */
function writeChecksums(workFolder: string): void {
  const names = readdirSync(dist).filter((name) => name.startsWith('davit'));
  const lines = names.sort().map((name) => {
    const hash = createHash('sha256').update(readFileSync(join(dist, name)));
    return `${hash.digest('hex')}  ${name}\n`;
  });
  writeFileSync(join(workFolder, 'SHA256SUMS'), lines.join(''));
  renameSync(join(workFolder, 'SHA256SUMS'), join(dist, 'SHA256SUMS'));
}
