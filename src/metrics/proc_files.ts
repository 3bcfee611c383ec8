import { ticksPerSecond } from '../processes/identity.ts';
import type { HostUsage } from './tick.ts';

/** What the kernel counts blocks of disks in, whatever the disk does. */
const sectorBytes = 512;
/** Disks that stand for others or for memory: what goes through them is counted where it ends, or not at all. */
const standIns = /^(loop|ram|zram|dm-|md|sr|fd|nbd)\d/;
/** A partition has a number behind the name of its disk, and a `p` before that where the name ends with a digit. */
const partition = /^(?:(.*\d)p|(.*[^\d]))\d+$/;

/** /proc/stat: processor time of the host, its processors and its boot. */
export function parseStat(text: string): Pick<HostUsage, 'booted_at' | 'processors' | 'cpu_seconds'> {
  const [, ...ticks] = (/^cpu .*$/m.exec(text)?.[0] ?? '').split(/\s+/).map(numberOf);
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = ticks;
  const seconds = (...parts: number[]) => parts.reduce((sum, each) => sum + each, 0) / ticksPerSecond;
  return {
    booted_at: numberOf(/^btime (\d+)$/m.exec(text)?.[1]) * 1_000,
    processors: Math.max(1, text.match(/^cpu\d+ /gm)?.length ?? 0),
    // What guests of virtual machines use is a part of `user` and `nice` already.
    cpu_seconds: {
      user: seconds(user, nice),
      system: seconds(system, irq, softirq),
      idle: seconds(idle),
      iowait: seconds(iowait),
      steal: seconds(steal),
    },
  };
}

/** /proc/meminfo. Kernels before 3.14 do not tell what is available; it is estimated as what is free or only cached. */
export function parseMemory(text: string): Pick<HostUsage, 'memory' | 'swap'> {
  const named = new Map(
    [...text.matchAll(/^([^:\n]+):\s+(\d+)(?: kB)?$/gm)].map(([, name = '', kibibytes]) => [
      name,
      numberOf(kibibytes) * 1_024,
    ]),
  );
  const of = (name: string) => named.get(name) ?? 0;
  const available = named.get('MemAvailable') ?? of('MemFree') + of('Buffers') + of('Cached');
  return {
    memory: { total: of('MemTotal'), available: Math.min(available, of('MemTotal')) },
    swap: { total: of('SwapTotal'), free: of('SwapFree') },
  };
}

/** /proc/loadavg. */
export function parseLoad(text: string): HostUsage['load'] {
  const [one = 0, five = 0, fifteen = 0] = text.split(' ', 3).map(numberOf);
  return [one, five, fifteen];
}

/**
 * /proc/net/dev. Where there are network cards, only what goes through these counts: bridges, tunnels and the ends of
 * containers pass the same bytes on. In a container there are none, and all but loopback counts.
 */
export function parseNetwork(text: string, isCard: (name: string) => boolean): HostUsage['network'] {
  const lines = text.split('\n').flatMap((line) => {
    const colon = line.lastIndexOf(':');
    const name = line.slice(0, colon).trim();
    const numbers = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/);
    const isLoopback = name === 'lo' || name.startsWith('lo:');
    if (colon === -1 || isLoopback || numbers.length < 16) return [];
    return [{ name, received: numberOf(numbers[0]), sent: numberOf(numbers[8]) }];
  });
  const counted = preferring(lines, ({ name }) => isCard(name));
  return {
    received: counted.reduce((sum, each) => sum + each.received, 0),
    sent: counted.reduce((sum, each) => sum + each.sent, 0),
  };
}

/**
 * /proc/diskstats. Where the host tells which are disks of their own, those count; else all that are neither a part of
 * another nor stand for one, such as those of LVM and RAID.
 */
export function parseDisks(text: string, isDisk: (name: string) => boolean): HostUsage['disk_io'] {
  const lines = text.split('\n').flatMap((line) => {
    const [, , name = '', , , read, , , , written] = line.trim().split(/\s+/);
    if (written === undefined || standIns.test(name)) return [];
    return [{ name, read: numberOf(read), written: numberOf(written) }];
  });
  const names = new Set(lines.map(({ name }) => name));
  const isPart = (name: string) => {
    const [, numbered, plain] = partition.exec(name) ?? [];
    return names.has(numbered ?? plain ?? '');
  };
  const counted = preferring(
    lines.filter(({ name }) => !isPart(name)),
    ({ name }) => isDisk(name),
  );
  return {
    read: counted.reduce((sum, each) => sum + each.read, 0) * sectorBytes,
    written: counted.reduce((sum, each) => sum + each.written, 0) * sectorBytes,
  };
}

/** One of /proc/pressure: the share of the last ten seconds in which some work waited; null where it does not say. */
export function parsePressure(text: string): number | null {
  const percent = /^some avg10=(\d+(?:\.\d+)?) /m.exec(text)?.[1];
  return percent === undefined ? null : Number(percent) / 100;
}

/** 0 for what is no number. */
function numberOf(text: string | undefined): number {
  const number = Number(text);
  return Number.isFinite(number) ? number : 0;
}

/** Those that fit, if any do; else all. */
function preferring<Line>(lines: readonly Line[], fits: (line: Line) => boolean): readonly Line[] {
  const fitting = lines.filter(fits);
  return fitting.length > 0 ? fitting : lines;
}
