import { increase } from './increase.ts';
import type { SeriesValues } from './series_values.ts';
import type { HostUsage } from './tick.ts';

/** Adds what the host has and does. */
export function addHost(
  values: SeriesValues,
  before: HostUsage | null,
  now: HostUsage | null,
  seconds: number,
): void {
  if (now === null) return;
  const { memory, swap, disk } = now;
  values.add('host.memory', share(memory.total - memory.available, memory.total));
  values.add('host.memory_used', memory.total - memory.available);
  values.add('host.swap', swap.total === 0 ? 0 : share(swap.total - swap.free, swap.total));
  values.add('host.load', now.load[0]);
  values.add('host.disk', share(disk.total - disk.available, disk.total));
  values.add('host.disk_free', disk.available);
  if (before === null || before.booted_at !== now.booted_at) return;
  values.add('host.cpu', busy(before.cpu_seconds, now.cpu_seconds));
  values.addRate('host.disk_io', increase(bothWays(before.disk_io), bothWays(now.disk_io)), seconds);
  values.addRate('host.network_in', increase(before.network.received, now.network.received), seconds);
  values.addRate('host.network_out', increase(before.network.sent, now.network.sent), seconds);
}

/** How much of the processors' time was not idle. What waits for a disk leaves the processor idle. */
function busy(before: HostUsage['cpu_seconds'], now: HostUsage['cpu_seconds']): number | null {
  const parts = (['user', 'system', 'steal'] as const).map((part) => now[part] - before[part]);
  const used = parts.reduce((sum, part) => sum + part, 0);
  const idle = now.idle - before.idle + (now.iowait - before.iowait);
  return share(used, used + idle);
}

/** null where there is nothing to share; the kernel's counters are not always exact. */
function share(part: number, whole: number): number | null {
  return whole > 0 ? Math.min(1, Math.max(0, part / whole)) : null;
}

function bothWays({ read, written }: HostUsage['disk_io']): number {
  return read + written;
}
