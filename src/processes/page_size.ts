import { readFileSync } from 'node:fs';

/** AT_PAGESZ of getauxval(3). */
const pageSizeKey = 6n;
const usualSize = 4_096;

/** How many bytes a page of memory has, in which the kernel counts what is resident: 4096, or more on some ARM systems. */
export function readPageSize(): number {
  try {
    return pageSizeIn(readFileSync('/proc/self/auxv'));
  } catch {
    return usualSize;
  }
}

/** @param auxv pairs of a key and a value, of 64 bits each in the order of bytes of this host (proc(5)). */
export function pageSizeIn(auxv: Buffer): number {
  for (let at = 0; at + 16 <= auxv.length; at += 16)
    if (auxv.readBigUInt64LE(at) === pageSizeKey) return Number(auxv.readBigUInt64LE(at + 8));
  return usualSize;
}
