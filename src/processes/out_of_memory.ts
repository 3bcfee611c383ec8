import type { ControlGroup } from './control_group.ts';
import { isWithin, type KillForMemory } from './kernel_log.ts';

/** Whose memory ran out: an instance had reached its own `limit`, or the `host` (or what contains it) had no more. */
export type OutOfMemory = 'limit' | 'host';

/**
 * Why the kernel killed a process of an instance that ended by SIGKILL; null: somebody else did. The kernel's log names
 * the process itself, or its group: the program of a shell is a child of what ended. Where the log may not be read, or
 * names things otherwise as in a container, the counts of the group have to do.
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
