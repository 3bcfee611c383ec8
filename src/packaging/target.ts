import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The folder of package.json. */
export const root: string = join(import.meta.dirname, '../..');

/** A platform that a binary is built for. */
export interface Target {
  /** Such as `linux-arm64`; the package `node-<name>` holds its Node. */
  readonly name: string;
  /** The packager's word for the system. */
  readonly platform: 'linux' | 'win';
  readonly arch: 'x64' | 'arm64';
  /** npm's words for the system, for installing the package of a foreign one. */
  readonly os: 'linux' | 'win32';
  /** Where the executable lies in its package. */
  readonly node: string;
  /** The GNU name, which the cross-building tools carry as a prefix; none where nothing is stripped. */
  readonly gnu?: string;
}

const targets: readonly Target[] = [
  {
    name: 'linux-x64',
    platform: 'linux',
    arch: 'x64',
    os: 'linux',
    node: 'bin/node',
    gnu: 'x86_64-linux-gnu',
  },
  {
    name: 'linux-arm64',
    platform: 'linux',
    arch: 'arm64',
    os: 'linux',
    node: 'bin/node',
    gnu: 'aarch64-linux-gnu',
  },
  { name: 'win-x64', platform: 'win', arch: 'x64', os: 'win32', node: 'bin/node.exe' },
];

/** The target called `name`, or this machine's own when no name is given; throws a sentence when there is none. */
export function targetNamed(name: string | undefined): Target {
  const found = targets.find((target) => (name === undefined ? isNative(target) : target.name === name));
  if (found) return found;
  const known = targets.map((target) => target.name).join(', ');
  throw new Error(
    `No binary can be built for ${name ?? `${process.platform}-${process.arch}`}; known: ${known}`,
  );
}

/** Whether what is built for `target` can run here. */
export function isNative(target: Target): boolean {
  return target.os === process.platform && target.arch === process.arch;
}

/** A file of the checkout's root, parsed. */
export function readRootJson(name: 'package.json' | 'package-lock.json') {
  return JSON.parse(readFileSync(join(root, name), 'utf8'));
}
