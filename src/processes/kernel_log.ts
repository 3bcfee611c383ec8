import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { systemErrorCode } from '../lib/errors.ts';
import { type ProcessIdentity, ticksPerSecond } from './identity.ts';

/** The most records that are read; the kernel keeps fewer. */
const mostRecords = 100_000;
const largestRecord = 8_192;

/** How long what was read is not read again, in milliseconds: many may have ended at once. */
const trustedFor = 5;
/** How long after a kill the log may not tell of it yet, in milliseconds. */
const settleTime = 1_000;

/** What the kernel says of memory that ran out, in its own log (/dev/kmsg, dmesg(1)), where that may be read. */
export class KernelLog {
  #kills: readonly KillForMemory[] = [];
  #readAt = Number.NEGATIVE_INFINITY;
  /** How many processes the kernel has killed for memory so far, and when that was found out. */
  #count = countOfKills();
  #countedAt = performance.now();

  /**
   * The last time that the kernel killed one of these processes, or one of a control group that this is the folder of,
   * because memory ran out; null when it says nothing of it.
   */
  killForMemory(
    { start_ticks }: ProcessIdentity,
    pids: readonly (number | null)[],
    group: string | null,
  ): KillForMemory | null {
    const since = Number(start_ticks) / ticksPerSecond - 1;
    const isOne = ({ pid, group: other }: KillForMemory) => pids.includes(pid) || isWithin(other, group);
    return this.#read().findLast((kill) => kill.at >= since && isOne(kill)) ?? null;
  }

  /** The whole log takes milliseconds to read: it is not read again where the kernel has killed nobody since. */
  #read(): readonly KillForMemory[] {
    const now = performance.now();
    const count = countOfKills();
    if (count !== this.#count) this.#countedAt = now;
    this.#count = count;
    const saysAll = count !== null && this.#readAt - this.#countedAt > settleTime;
    if (saysAll || now - this.#readAt <= trustedFor) return this.#kills;
    this.#kills = killsForMemory(records());
    this.#readAt = performance.now();
    return this.#kills;
  }
}

/** Whom the kernel killed, and when, in seconds since boot. */
export interface KillForMemory {
  readonly pid: number;
  readonly at: number;
  /** The control group that it was in, such as /system.slice/x.service; null: it is not told. */
  readonly group: string | null;
  /** The control group that had reached its limit; null: none, or it is not told. */
  readonly limited_group: string | null;
}

/** Whether a group of the log is an instance's, or one that the instance made in it. The log has another root than the folder. */
export function isWithin(group: string | null, folder: string | null): boolean {
  return group !== null && folder !== null && group.split('/').includes(basename(folder));
}

const reason =
  /^[0-7],\d+,\d+,.*?;oom-kill:.*,(?:global_oom|oom_memcg=(.*)),task_memcg=(.*),task=.*,pid=(\d+),uid=/;

/** A kill is told of in two records: why, which is left out when there are many at once, and whom. */
export function killsForMemory(records: readonly string[]): KillForMemory[] {
  const reasons = new Map<number, Pick<KillForMemory, 'group' | 'limited_group'>>();
  return records.flatMap((record) => {
    const [, limited, group, victim] = reason.exec(record) ?? [];
    if (group !== undefined) reasons.set(Number(victim), { group, limited_group: limited ?? null });
    const kill = killForMemory(record);
    if (kill === null) return [];
    const { group: its = null, limited_group = null } = reasons.get(kill.pid) ?? {};
    reasons.delete(kill.pid);
    return [{ ...kill, group: its, limited_group }];
  });
}

/** Which process a record of the kernel's log says was killed for memory; null: none. */
export function killForMemory(record: string): Pick<KillForMemory, 'pid' | 'at'> | null {
  const [, microseconds, pid] =
    /^[0-7],\d+,(\d+),.*?;.*out of memory.*Killed process (\d+) \(/i.exec(record) ?? [];
  return pid === undefined ? null : { pid: Number(pid), at: Number(microseconds) / 1e6 };
}

/** How many processes of this host were killed because memory ran out, since it started; null: the kernel does not say. */
function countOfKills(): string | null {
  try {
    return /^oom_kill (\d+)$/m.exec(readFileSync('/proc/vmstat', 'latin1'))?.[1] ?? null;
  } catch {
    return null;
  }
}

/** Every read gives one record. */
function records(): string[] {
  const found: string[] = [];
  let log: number | undefined;
  try {
    log = openSync('/dev/kmsg', constants.O_RDONLY | constants.O_NONBLOCK);
    const buffer = Buffer.alloc(largestRecord);
    while (found.length < mostRecords) {
      const length = readRecord(log, buffer);
      if (length === null) break;
      found.push(buffer.toString('latin1', 0, length));
    }
  } catch {
    return found;
  } finally {
    if (log !== undefined) closeSync(log);
  }
  return found;
}

/** Null at the end of the log. */
function readRecord(log: number, buffer: Buffer): number | null {
  try {
    return readSync(log, buffer);
  } catch (error) {
    // The record was overwritten while it was read: the next one is there.
    if (systemErrorCode(error) === 'EPIPE') return 0;
    if (systemErrorCode(error) === 'EAGAIN') return null;
    throw error;
  }
}
