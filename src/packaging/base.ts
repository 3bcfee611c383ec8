import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemErrorCode } from '../lib/errors.ts';
import { isNative, readRootJson, root, type Target } from './target.ts';

/**
 * Puts the Node that `target`'s binary begins with at `file`, without its symbols where a tool for that is there.
 * It has to be stripped before anything is injected: stripping a finished binary breaks it.
 *
 * @returns a sentence for the user when it could not be stripped
 */
export function prepareBase(target: Target, file: string): string | undefined {
  cpSync(join(nodePackage(target), target.node), file, { dereference: true });
  if (!target.gnu) return;
  const tool = isNative(target) ? 'strip' : `${target.gnu}-strip`;
  const run = spawnSync(tool, [file], { encoding: 'utf8' });
  if (run.status === 0) return;
  const why = systemErrorCode(run.error) === 'ENOENT' ? 'it is not installed' : run.stderr?.trim();
  return `"${tool}" did not run (${why}): the binary is about 18 MB larger than it has to be`;
}

/** The folder of the npm package with the target's Node. A foreign one is installed in a place of its own. */
function nodePackage(target: Target): string {
  const name = `node-${target.name}`;
  const ours = join(root, 'node_modules', name);
  if (existsSync(ours)) return ours;
  const locked = readRootJson('package-lock.json').packages[`node_modules/${name}`];
  const place = join(root, 'node_modules/.cache/davit', `${name}-${locked.version}`);
  const installed = join(place, 'node_modules', name);
  if (existsSync(installed)) return installed;
  const manifest = { private: true, optionalDependencies: { [name]: locked.version } };
  const packages = { '': manifest, [`node_modules/${name}`]: locked };
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, 'package.json'), JSON.stringify(manifest));
  // Our own lockfile's entry, so that npm checks the download against the hash that was reviewed.
  writeFileSync(join(place, 'package-lock.json'), JSON.stringify({ lockfileVersion: 3, packages }));
  const args = ['ci', '--ignore-scripts', `--os=${target.os}`, `--cpu=${target.arch}`, '--loglevel=error'];
  execFileSync('npm', args, { cwd: place, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' });
  // npm passes over an optional package that it cannot have, and only as such takes one for another machine.
  if (!existsSync(installed)) throw new Error(`npm could not install ${name} ${locked.version}`);
  return installed;
}
