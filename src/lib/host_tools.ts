import { accessSync, constants, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';

/** A program of the host that some work needs. */
interface HostTool {
  readonly name: string;
  /** Where it comes from on most hosts. */
  readonly package: string;
  /** What cannot be done without it. */
  readonly without: string;
}

const directories = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/run/current-system/sw/bin'];

/** What davit uses of the host, where it is there. */
const hostTools: readonly HostTool[] = [
  {
    name: 'setpriv',
    package: 'util-linux',
    without: 'services cannot run as users with supplementary groups',
  },
  {
    name: 'fallocate',
    package: 'util-linux',
    without: 'the output of a service that runs is not held within its limits before it ends',
  },
  {
    name: 'mkfifo',
    package: 'coreutils',
    without: 'after a restart of the agent, the end of a service is noticed late and without its exit code',
  },
];

/** The path of a tool; null when it is not there. What BusyBox has by these names is less, but for mkfifo. */
export function findTool(name: string): string | null {
  const isIt = (path: string) => name === 'mkfifo' || basename(realpathSync(path)) === name;
  for (const directory of directories) {
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      if (isIt(path)) return path;
    } catch {
      // It is not in this one.
    }
  }
  return null;
}

/** A sentence on each tool that is not there. */
export function missingTools(
  isThere: (name: string) => boolean = (name) => findTool(name) !== null,
): string[] {
  return hostTools
    .filter(({ name }) => !isThere(name))
    .map((tool) => `${tool.name} (${tool.package}) is missing: ${tool.without}`);
}
