import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { systemErrorCode } from '../lib/errors.ts';
import { readStat } from './identity.ts';
import { systemReason } from './system_reason.ts';

const prefix = 'davit-';
/**
 * The group that the agent itself lives in where groups have limits: a group that passes limits on may hold no process
 * of its own (cgroups(7)). systemd puts it there with DelegateSubgroup=.
 */
const agentsGroup = 'davit.agent';
/** How often the agent moves out of the way: it may just be making a process. */
const mostMoves = 5;

/** The control group (version 2) of one instance: every process that it ever started is in it, whatever that did to hide. */
export class ControlGroup {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /**
   * Puts a process into the group; what it starts from then on is in it, too. Throws when the system refuses it. It
   * can take some ten milliseconds: the kernel waits until no process of the host is being forked.
   */
  add(pid: number): Promise<void> {
    return writeFile(join(this.folder, 'cgroup.procs'), String(pid));
  }

  /** Whether the group has such a setting, which depends on the kernel and on what is passed on to it. */
  has(file: string): boolean {
    return existsSync(join(this.folder, file));
  }

  /** Sets something, such as memory.max. Throws when the system refuses it. */
  set(file: string, value: string): void {
    try {
      writeFileSync(join(this.folder, file), value, { flag: 'r+' });
    } catch (error) {
      throw new Error(`${file}: ${systemReason(error)}`, { cause: error });
    }
  }

  /**
   * How often the kernel killed a process of the group because memory ran out (`kills`), and how often that was because
   * the group had reached its own limit (`limit_reached`). Both 0 where there is no such count.
   */
  memoryEvents(): { readonly kills: number; readonly limit_reached: number } {
    const events = read(join(this.folder, 'memory.events'));
    const count = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(events)?.[1] ?? 0);
    return { kills: count('oom_kill'), limit_reached: count('oom') };
  }

  /** The processor time of all that was ever in it, in seconds; null where the system does not tell. */
  cpuSeconds(): number | null {
    const microseconds = /^usage_usec (\d+)$/m.exec(read(join(this.folder, 'cpu.stat')))?.[1];
    return microseconds === undefined ? null : Number(microseconds) / 1e6;
  }

  /** The pids of all processes in the group and in groups that were made below it. */
  pids(): number[] {
    return this.#folders().flatMap(readPids);
  }

  /** Whether no living process is left in it; also true when the group is gone. */
  isEmpty(): boolean {
    return !read(join(this.folder, 'cgroup.events')).includes('populated 1');
  }

  /** Sends SIGKILL to all of it at once. False where the kernel cannot (before Linux 5.14). */
  kill(): boolean {
    try {
      writeFileSync(join(this.folder, 'cgroup.kill'), '1', { flag: 'r+' });
      return true;
    } catch {
      return false;
    }
  }

  /** Removes the group with those that a service made in it. False while the system still holds it. */
  remove(): boolean {
    for (const folder of this.#folders().reverse()) {
      try {
        rmdirSync(folder);
      } catch (error) {
        if (systemErrorCode(error) !== 'ENOENT') return false;
      }
    }
    return true;
  }

  /** Parents before their children. */
  #folders(): string[] {
    const folders = [this.folder];
    // The list grows while it is walked.
    for (const folder of folders) {
      if (!hasFolders(folder)) continue;
      for (const entry of listFolder(folder)) if (entry.isDirectory()) folders.push(join(folder, entry.name));
    }
    return folders;
  }
}

/** Where the agent may make control groups, or why it may not. */
export interface ControlGroupPlace {
  /** Null where it may not. */
  readonly folder: string | null;
  /** Why not, as a sentence; null where it may. */
  readonly missing: string | null;
}

/** What decides where control groups may be made. */
export interface HostFacts {
  /** /proc/self/mountinfo (proc(5)). */
  readonly mounts: string;
  /** /proc/self/cgroup (cgroups(7)). */
  readonly membership: string;
  readonly isRoot: boolean;
  /** Whether systemd runs this host and so owns its control groups. */
  readonly hasSystemd: boolean;
}

/** The control groups of the instances of one agent. */
export class ControlGroups {
  readonly #folder: string | null;
  /** Why instances have no control group; null when they have. */
  readonly missing: string | null;

  constructor(place: ControlGroupPlace) {
    this.missing = place.missing ?? (place.folder === null ? null : whyUnusable(place.folder));
    this.#folder = this.missing === null ? place.folder : null;
  }

  /** Makes the group of a new instance. Throws when the system refuses it. */
  create(instance: string): ControlGroup | null {
    if (this.#folder === null) return null;
    const folder = join(this.#folder, prefix + instance);
    mkdirSync(folder);
    return new ControlGroup(folder);
  }

  /**
   * Lets groups have limits of a kind, from now on: nothing changes for those that have none. Returns why that cannot
   * be, or null.
   */
  enable(controller: 'memory' | 'cpu' | 'pids'): string | null {
    if (this.#folder === null) return this.missing?.replace(consequence, '') ?? null;
    const passedOn = join(this.#folder, 'cgroup.subtree_control');
    if (wordsOf(passedOn).includes(controller)) return null;
    if (!wordsOf(join(this.#folder, 'cgroup.controllers')).includes(controller))
      return `${this.#folder} is given no control of ${controller}`;
    for (let moves = 1; ; moves++) {
      const inTheWay = moveAside(this.#folder);
      if (inTheWay !== null) return inTheWay;
      try {
        writeFileSync(passedOn, `+${controller}`, { flag: 'r+' });
        return null;
      } catch (error) {
        const isInUse = systemErrorCode(error) === 'EBUSY';
        if (!isInUse || moves === mostMoves) return `${passedOn}: ${systemReason(error)}`;
      }
    }
  }

  /** The groups that are there, by their instances. */
  list(): Map<string, ControlGroup> {
    const folder = this.#folder;
    if (folder === null) return new Map();
    const names = listFolder(folder).filter((entry) => entry.isDirectory() && entry.name.startsWith(prefix));
    return new Map(
      names.map(({ name }) => [name.slice(prefix.length), new ControlGroup(join(folder, name))]),
    );
  }
}

/**
 * Moves the agent, with what it is starting, out of a group that is to pass limits on. Returns why it may not, or null.
 * Not every controller insists on that, but whoever puts a process into the group later would be refused.
 */
function moveAside(folder: string): string | null {
  // Only the root group of a host has no type, and may hold processes all the same.
  const pids = existsSync(join(folder, 'cgroup.type')) ? readPids(folder) : [];
  if (pids.includes(process.pid) && folder.endsWith('.service')) return ofSystemd;
  const stranger = pids.find((pid) => pid !== process.pid && readStat(pid)?.parent !== process.pid);
  if (stranger !== undefined)
    return `process ${stranger}, which the agent did not start, is in ${folder} itself`;
  if (pids.length === 0) return null;
  try {
    const own = join(folder, agentsGroup);
    mkdirSync(own, { recursive: true });
    for (const pid of pids) writeFileSync(join(own, 'cgroup.procs'), String(pid), { flag: 'r+' });
    return null;
  } catch (error) {
    return `the agent cannot move to a control group of its own: ${systemReason(error)}`;
  }
}

/** The group in a folder that an earlier agent made; null when it is gone. */
export function findControlGroup(folder: string | null): ControlGroup | null {
  return folder !== null && existsSync(folder) ? new ControlGroup(folder) : null;
}

/** Where this process may make control groups. `off`: nowhere, because nobody wants it. */
export function findControlGroupPlace(mode: 'auto' | 'off'): ControlGroupPlace {
  if (mode === 'off') return nowhere('control groups are switched off (cgroups: off)');
  return placeAmong({
    mounts: read('/proc/self/mountinfo'),
    membership: read('/proc/self/cgroup'),
    isRoot: process.geteuid?.() === 0,
    hasSystemd: existsSync('/run/systemd/system'),
  });
}

/**
 * The agent's own group, if it was given that: systemd owns the groups of its host, and hands over only those of units
 * with Delegate=yes (systemd.io/CGROUP_DELEGATION).
 */
export function placeAmong({ mounts, membership, isRoot, hasSystemd }: HostFacts): ControlGroupPlace {
  const [, root, mountPoint] = /^\d+ \d+ \S+ (\S+) (\S+) .* - cgroup2 /m.exec(mounts) ?? [];
  const [, agents] = /^0::(\/.*)$/m.exec(membership) ?? [];
  const own = agents?.endsWith(`/${agentsGroup}`) ? dirname(agents) : agents;
  if (root === undefined || mountPoint === undefined || own === undefined)
    return nowhere('this host has no control groups of version 2');
  if (hasSystemd && isRoot && !own.endsWith('.service')) {
    return nowhere(
      `the agent was started by hand, in ${basename(own) || 'the root group'}, whose control groups are systemd's: run it as a unit`,
    );
  }
  const inMount = relative(root, own);
  if (inMount.startsWith('..')) return nowhere('the control group of the agent is not visible to it');
  return { folder: join(mountPoint, inMount), missing: null };
}

/** What it means to have none. */
const consequence = '; processes that hide from their service may be left over when it is stopped';
/** Were limits passed on while the agent is in the group of its unit, systemd could not start the next agent there. */
const ofSystemd =
  'systemd runs the agent in the same control group: add DelegateSubgroup=davit.agent to its unit and restart it (systemd 254 or newer), or run the service with runner: systemd';

function nowhere(why: string): ControlGroupPlace {
  return { folder: null, missing: why + consequence };
}

/** Tries it: only the system knows all that decides it. */
function whyUnusable(folder: string): string | null {
  const trial = join(folder, `${prefix}trial-${process.pid}`);
  try {
    // Whoever moves a process needs this right on the group that both ends have in common.
    accessSync(join(folder, 'cgroup.procs'), constants.W_OK);
    mkdirSync(trial);
    rmdirSync(trial);
    return null;
  } catch (error) {
    return nowhere(`control groups cannot be made in ${folder} (${systemReason(error)})`).missing;
  }
}

function wordsOf(file: string): string[] {
  return read(file).trim().split(/\s+/);
}

function readPids(folder: string): number[] {
  return read(join(folder, 'cgroup.procs'))
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
}

/** Of a group the kernel counts the groups below as links, besides `.` and its name; that spares listing its fifty files. */
function hasFolders(folder: string): boolean {
  try {
    return statSync(folder).nlink !== 2;
  } catch {
    return false;
  }
}

function listFolder(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
