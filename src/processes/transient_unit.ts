import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ControlGroup } from './control_group.ts';
import type { Program } from './launch.ts';

/** Whose units: those of the host's systemd or, for an agent that is not root, of the systemd of its account. */
export type UnitManager = 'system' | 'user';

/** Holds the units of all instances, so that an operator can see and limit them together. */
const slice = 'davit.slice';
const prefix = 'davit-';
const suffix = '.service';

/** The process of davit that leads every tree, and does not count as one of the program's own. */
const wrapperProcesses = 1;

/** The name of the unit of an instance. What an operator writes to `davit-.service.d/` applies to all of them. */
export function unitName(instance: string): string {
  return `${prefix}${instance}${suffix}`;
}

/** What instances may not do as units of their own, as they may not in the unit of the agent (systemd/davit.service). */
export const sandbox = [
  'CapabilityBoundingSet=~CAP_SYS_MODULE CAP_SYS_BOOT CAP_SYS_TIME CAP_WAKE_ALARM CAP_BLOCK_SUSPEND CAP_SYS_PACCT CAP_MAC_OVERRIDE',
  'SystemCallFilter=~@module @reboot @swap @obsolete',
  'SystemCallErrorNumber=EPERM',
  'RestrictAddressFamilies=~AF_AX25 AF_IPX AF_APPLETALK AF_NETROM AF_X25 AF_ROSE AF_DECnet AF_ECONET AF_ATMPVC AF_ATMSVC AF_SNA AF_IRDA AF_WANPIPE AF_PHONET',
  'LockPersonality=yes',
  'KeyringMode=private',
] as const;

/**
 * When a unit ends at a shutdown of the host, which is the reverse of the order here: after the agent, which comes after
 * network-online.target and ends its services itself, and before the network goes. There is no order between a unit and
 * the agent as such, or a unit could not be started while systemd restarts the agent.
 */
const order = {
  system: ['After=network.target nss-user-lookup.target', 'Before=network-online.target'],
  // An agent of an account comes after basic.target, as all units do that say nothing else.
  user: ['DefaultDependencies=no', 'Conflicts=shutdown.target', 'Before=basic.target shutdown.target'],
} as const;

/**
 * The properties of the unit of a program, as they stand in unit files (systemd.service(5)). None of them is a secret:
 * every user of the host can read them. The account is none of them, as the wrapper is given files that only the agent's
 * may open before it switches to it; and as User= would take the right to use sudo from what has a SystemCallFilter=.
 */
export function unitProperties(
  { limits, stop, env }: Pick<Program, 'limits' | 'stop' | 'env'>,
  manager: UnitManager,
): string[] {
  const { memory_bytes, cpu_cores, pids } = limits;
  return [
    `Slice=${slice}`,
    `Description=davit: ${oneLine(env['DAVIT_SERVICE'] ?? 'an instance')}${instanceNumber(env)}`,
    `KillMode=control-group`,
    `KillSignal=${stop.signal}`,
    // Nothing would mean forever.
    `TimeoutStopSec=${Math.max(1, Math.round(stop.timeout_ms))}ms`,
    'SendSIGKILL=yes',
    // The kernel ends what takes too much memory, and davit decides what comes of it.
    'OOMPolicy=continue',
    'SyslogIdentifier=davit',
    'StandardInput=null',
    'StandardOutput=null',
    'StandardError=journal',
    ...order[manager],
    ...(manager === 'system' ? sandbox : []),
    ...inherited(limits.open_files),
    `TasksMax=${pids === null ? 'infinity' : pids + wrapperProcesses}`,
    ...(memory_bytes === null ? [] : [`MemoryMax=${memory_bytes}`, 'MemorySwapMax=0']),
    ...(cpu_cores === null ? [] : [`CPUQuota=${(cpu_cores * 100).toFixed(2)}%`]),
  ];
}

/** What a program that the agent starts itself has from the agent, but for what it is to have more of. */
function inherited(open_files: number | null): string[] {
  const [, mask] = /^Umask:\s*(\d+)$/m.exec(read('/proc/self/status')) ?? [];
  const [, soft = '', hard = ''] = /^Max open files\s+(\S+)\s+(\S+)/m.exec(read('/proc/self/limits')) ?? [];
  const most = hard !== 'unlimited' && open_files !== null ? Math.max(Number(hard), open_files) : hard;
  const files = `${soft}:${most}`.replaceAll('unlimited', 'infinity');
  return [...(mask === undefined ? [] : [`UMask=${mask}`]), ...(hard === '' ? [] : [`LimitNOFILE=${files}`])];
}

/**
 * The control groups of the units that run of instances, by their ids. None where the host has no control groups of
 * version 2; then what runs of an instance is found by its mark alone.
 */
export function listUnitGroups(manager: UnitManager, uid: number): Map<string, ControlGroup> {
  const folder = folderOf(join(groupOfManager(manager, uid), slice));
  if (folder === null) return new Map();
  const names = list(folder).filter((name) => name.startsWith(prefix) && name.endsWith(suffix));
  return new Map(
    names.map((name) => [name.slice(prefix.length, -suffix.length), new ControlGroup(join(folder, name))]),
  );
}

/** The limits of a program that systemd has no means to set, as sentences. */
export function unlimitable(limits: Program['limits'], manager: UnitManager, uid: number): string[] {
  const folder = folderOf(groupOfManager(manager, uid));
  const controllers = folder === null ? [] : read(join(folder, 'cgroup.controllers')).trim().split(' ');
  return controllersFor(limits)
    .filter((controller) => !controllers.includes(controller))
    .map(
      (controller) => `the limit ${controller} cannot be set: systemd is given no control of ${controller}`,
    );
}

/** The limits of a program that systemd has not set on its unit, as sentences. */
export function unsetLimits(limits: Program['limits'], group: ControlGroup | null): string[] {
  return controllersFor(limits)
    .filter((controller) => !group?.has(`${controller}.max`))
    .map((controller) => `the limit ${controller} has not been set by systemd`);
}

function controllersFor({ memory_bytes, cpu_cores, pids }: Program['limits']): string[] {
  const wanted = { memory: memory_bytes, cpu: cpu_cores, pids };
  return Object.entries(wanted).flatMap(([controller, limit]) => (limit === null ? [] : [controller]));
}

/** The control group that all units of a systemd are in. */
function groupOfManager(manager: UnitManager, uid: number): string {
  const [, first = '/'] = /^0::(\/.*)$/m.exec(read('/proc/1/cgroup')) ?? [];
  const system = first.replace(/\/init\.scope$/, '/');
  return manager === 'system' ? system : join(system, `user.slice/user-${uid}.slice/user@${uid}.service`);
}

/** The control group that a process is in; null where there are none of version 2. */
export function groupOf(pid: number): ControlGroup | null {
  const [, path] = /^0::(\/.*)$/m.exec(read(`/proc/${pid}/cgroup`)) ?? [];
  const folder = path === undefined ? null : folderOf(path);
  return folder === null ? null : new ControlGroup(folder);
}

/** Where a control group lies in the file system of this process; null when it does not. */
function folderOf(path: string): string | null {
  const [, root, mountPoint] =
    /^\d+ \d+ \S+ (\S+) (\S+) .* - cgroup2 /m.exec(read('/proc/self/mountinfo')) ?? [];
  if (root === undefined || mountPoint === undefined) return null;
  const inMount = relative(root, path);
  const folder = join(mountPoint, inMount);
  return !inMount.startsWith('..') && existsSync(folder) ? folder : null;
}

function instanceNumber(env: Readonly<Record<string, string>>): string {
  const number = env['DAVIT_INSTANCE'];
  return number === undefined ? '' : ` #${oneLine(number)}`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').slice(0, 100);
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
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
