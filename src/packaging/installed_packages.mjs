// @ts-check
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * @typedef {{ version?: string, integrity?: string, optional?: boolean, os?: string | string[], cpu?: string | string[], libc?: unknown }} LockedPackage
 */

/**
 * Why `node_modules` is not what `package-lock.json` asks for, as the end of a sentence, or undefined when it is.
 * It compares with the lockfile that npm leaves inside `node_modules` as the last act of an installation, so an
 * interrupted one counts as none, and looks whether each package's folder is still there.
 *
 * @param {string} root the folder of package.json
 * @returns {string | undefined}
 */
export function installationGap(root) {
  const installed = packagesOf(join(root, 'node_modules/.package-lock.json'));
  if (!installed) return 'nothing is installed yet';
  const wanted = packagesOf(join(root, 'package-lock.json'));
  if (!wanted) return 'package-lock.json is missing';
  if (!declaresTheSame(readJson(join(root, 'package.json')), wanted[''])) {
    return 'package.json and package-lock.json differ';
  }
  for (const [path, locked] of Object.entries(wanted)) {
    if (path === '') continue;
    const have = installed[path];
    if (!have && mayBeAbsent(locked)) continue;
    if (!have || !existsSync(join(root, path, 'package.json'))) return `${nameOf(path)} is missing`;
    if (have.version !== locked.version) return `${nameOf(path)} is ${have.version}, not ${locked.version}`;
    if (have.integrity !== locked.integrity)
      return `${nameOf(path)} has another content than the lockfile names`;
  }
  const extra = Object.keys(installed).find((path) => !(path in wanted));
  return extra && `${nameOf(extra)} is no longer wanted`;
}

/**
 * npm leaves out an optional package that does not fit the machine. One that names this system and processor has
 * to be there; about one that also names a C library npm knows more than we do.
 *
 * @param {LockedPackage} locked
 */
function mayBeAbsent(locked) {
  if (!locked.optional) return false;
  const namesThisMachine =
    [locked.os].flat().includes(process.platform) && [locked.cpu].flat().includes(process.arch);
  return !namesThisMachine || locked.libc !== undefined;
}

/**
 * @param {Record<string, unknown> | undefined} manifest
 * @param {Record<string, unknown> | undefined} locked
 */
function declaresTheSame(manifest, locked) {
  return ['dependencies', 'devDependencies', 'optionalDependencies'].every(
    (kind) => JSON.stringify(manifest?.[kind]) === JSON.stringify(locked?.[kind]),
  );
}

/**
 * @param {string} lockfile
 * @returns {Record<string, LockedPackage & Record<string, unknown>> | undefined}
 */
function packagesOf(lockfile) {
  return existsSync(lockfile) ? readJson(lockfile).packages : undefined;
}

/** @param {string} file */
function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'));
}

/** @param {string} path such as `node_modules/a/node_modules/@b/c` */
function nameOf(path) {
  return path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
}
