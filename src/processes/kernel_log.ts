import { closeSync, constants, openSync, readSync } from 'node:fs';
import { systemErrorCode } from '../lib/errors.ts';
import { type ProcessIdentity, ticksPerSecond } from './identity.ts';

/** The most records that are read; the kernel keeps fewer. */
const mostRecords = 100_000;
const largestRecord = 8_192;

/**
 * Whether the kernel killed one of these processes because memory ran out, as its log says (/dev/kmsg, dmesg(1)); false
 * too where the log may not be read.
 */
export function wasKilledForMemory(
  { start_ticks }: ProcessIdentity,
  pids: readonly (number | null)[],
): boolean {
  const since = Number(start_ticks) / ticksPerSecond - 1;
  return records().some((record) => {
    const found = killedForMemory(record);
    return found !== null && found.at >= since && pids.includes(found.pid);
  });
}

/** Which process a record of the kernel's log says was killed for memory, and when, in seconds since boot; null: none. */
export function killedForMemory(record: string): { readonly pid: number; readonly at: number } | null {
  const [, microseconds, pid] =
    /^[0-7],\d+,(\d+),.*?;.*out of memory.*Killed process (\d+) \(/i.exec(record) ?? [];
  return pid === undefined ? null : { pid: Number(pid), at: Number(microseconds) / 1e6 };
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
