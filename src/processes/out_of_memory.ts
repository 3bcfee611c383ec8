import { basename } from 'node:path';
import type { ControlGroup } from './control_group.ts';
import type { KillForMemory } from './kernel_log.ts';

/** Whose memory ran out: an instance had reached its own `limit`, or the `host` (or what contains it) had no more. */
export type OutOfMemory = 'limit' | 'host';

/**
 * Why the kernel killed a process of an instance that ended by SIGKILL; null: somebody else did. The kernel's log names
 * the process itself. Where that may not be read, or knows processes by other numbers as in a container, the counts of
 * the group have to do.
 */
export function whyOutOfMemory(
  kill: KillForMemory | null,
  group: string | null,
  events: ReturnType<ControlGroup['memoryEvents']> = { kills: 0, limit_reached: 0 },
): OutOfMemory | null {
  if (kill === null && events.kills === 0) return null;
  if (kill !== null && kill.limited_group !== null)
    return isWithin(kill.limited_group, group) ? 'limit' : 'host';
  return events.limit_reached > 0 ? 'limit' : 'host';
}

/** Whether a group is that of an instance, or one that the instance made in it. The log has another root than the folder. */
function isWithin(limited: string, group: string | null): boolean {
  return group !== null && limited.split('/').includes(basename(group));
}
