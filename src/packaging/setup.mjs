// @ts-check
// What `npm start`, `npm test` and `npm run build` run first, so that each of them works on a fresh clone. It is
// plain JavaScript without dependencies, for it runs on whatever Node (20 or newer) the machine has.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installationGap } from './installed_packages.mjs';
import { provideSystemTools, systemTools } from './system_tools.mjs';

const NODE_MAJOR = 24;
const root = fileURLToPath(new URL('../..', import.meta.url));

/** @param {string} line */
const say = (line) => process.stderr.write(`davit setup: ${line}\n`);

try {
  provideNodeModules();
  requireNode();
  if (process.argv.includes('--for-build')) provideSystemTools(systemTools.build, say);
  if (process.argv.includes('--for-tests')) provideSystemTools(systemTools.tests, say);
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

function provideNodeModules() {
  const gap = installationGap(root);
  if (!gap) return;
  say(`installing the packages of package-lock.json (${gap})`);
  const npm = npmCommand();
  const run = spawnSync(
    npm.file,
    [...npm.args, 'ci', '--ignore-scripts', '--include=dev', '--include=optional', '--loglevel=error'],
    {
      cwd: root,
      env: { ...process.env, PATH: pathWithoutOurs() },
      stdio: ['ignore', 2, 2],
      shell: npm.shell,
    },
  );
  if (run.error) throw new Error(`npm could not be started: ${run.error.message}`);
  if (run.status !== 0)
    throw new Error(`"npm ci" failed with exit code ${run.status}; its message stands above`);
}

/**
 * npm itself, on the machine's own Node: `npm ci` deletes node_modules, and with it the Node that npm scripts
 * find there first.
 */
function npmCommand() {
  const { npm_execpath: script, npm_node_execpath: node } = process.env;
  if (script?.endsWith('.js') && node && existsSync(node) && !node.startsWith(join(root, 'node_modules'))) {
    return { file: node, args: [script], shell: false };
  }
  return { file: 'npm', args: [], shell: process.platform === 'win32' };
}

function pathWithoutOurs() {
  const ours = join(root, 'node_modules', '.bin');
  return (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => folder !== ours)
    .join(delimiter);
}

/** Checks that the Node which npm scripts find first is the one that davit is written for. */
function requireNode() {
  const platform = `${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const file = join(
    root,
    'node_modules',
    `node-${platform}`,
    'bin',
    process.platform === 'win32' ? 'node.exe' : 'node',
  );
  if (existsSync(file)) {
    if (process.execPath === file) return requireMajor(process.version, file);
    const run = spawnSync(file, ['--version'], { encoding: 'utf8' });
    if (run.status === 0) return requireMajor(run.stdout, file);
    throw new Error(
      `${file} does not run here (${run.error?.message ?? run.stderr.trim()}). It needs glibc 2.28 or newer and libstdc++.`,
    );
  }
  if (Number.parseInt(process.version.slice(1), 10) >= NODE_MAJOR) return;
  const { optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  throw new Error(
    `davit needs Node ${NODE_MAJOR}, which npm brings for ${Object.keys(optionalDependencies)
      .map((name) => name.replace('node-', ''))
      .join(', ')} but not for ${platform}. Install Node ${NODE_MAJOR} here and try again.`,
  );
}

/**
 * @param {string} version such as `v24.21.0`
 * @param {string} file
 */
function requireMajor(version, file) {
  if (version.startsWith(`v${NODE_MAJOR}.`)) return;
  throw new Error(`${file} is Node ${version.trim()}, and davit needs Node ${NODE_MAJOR}`);
}
