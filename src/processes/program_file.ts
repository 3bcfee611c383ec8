import { accessSync, closeSync, constants, openSync, readdirSync, readSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { systemReason } from './system_reason.ts';

/** How much of a file tells how it is executed, in bytes. */
const headSize = 4_096;
/** The e_machine of the machine code that a processor runs (elf(5)). */
const machines: Readonly<Record<string, readonly number[]>> = { x64: [62, 3], arm64: [183, 40] };
const elfHeaderSize = 64;
/** The ELF class and data bytes of 64 bits, little endian. */
const wideLittleEndian = 0x0201;
const loaderSegment = 3;

/** The paths at which the system looks for a program: one, or one for each directory of PATH. */
export function programPaths(name: string, path: string | undefined, cwd: string): string[] {
  if (name.includes('/')) return [resolve(cwd, name)];
  return (path ?? '/bin:/usr/bin').split(':').map((directory) => resolve(cwd, directory, name));
}

/** Why the system would not execute a file although it may; null where nothing speaks against it. */
export function whyNotExecutable(path: string): string | null {
  const head = readHead(path);
  if (head === null) return null;
  if (head.toString('latin1', 0, 2) === '#!') return whyNotScript(head);
  if (head.toString('latin1', 0, 4) === '\x7fELF') return whyNotElf(head);
  // What the kernel does not know is given to /bin/sh, which takes text.
  const firstLine = head.toString('latin1').split('\n', 1)[0] ?? '';
  return firstLine.includes('\0') ? unknownFormat() : null;
}

function whyNotScript(head: Buffer): string | null {
  const [line = ''] = head.toString('utf8', 2).split('\n', 1);
  const [interpreter = ''] = line.trimStart().split(/[ \t]/, 1);
  const reason = whyMissing(interpreter);
  if (reason === null) return null;
  const hint = interpreter.endsWith('\r') ? ' (the line ends in a carriage return)' : '';
  return `its first line names the interpreter ${interpreter.trimEnd()}: ${reason}${hint}`;
}

function whyNotElf(head: Buffer): string | null {
  const known = machines[process.arch];
  if (head.length < elfHeaderSize) return unknownFormat();
  if (known !== undefined && !known.includes(head.readUInt16LE(18))) return unknownFormat();
  const loader = loaderOf(head);
  const reason = whyMissing(loader);
  return reason && `it was built for a system with the loader ${loader}: ${reason}`;
}

/** The dynamic loader that a program asks for; '' where it asks for none. */
function loaderOf(head: Buffer): string {
  if (head.readUInt16BE(4) !== wideLittleEndian) return '';
  const [start, size, count] = [
    Number(head.readBigUInt64LE(32)),
    head.readUInt16LE(54),
    head.readUInt16LE(56),
  ];
  for (let at = start; at < start + size * count && at + size <= head.length; at += size) {
    if (head.readUInt32LE(at) !== loaderSegment) continue;
    const offset = Number(head.readBigUInt64LE(at + 8));
    const length = Number(head.readBigUInt64LE(at + 32));
    return head.toString('utf8', offset, offset + length - 1);
  }
  return '';
}

/** The kernel may have been taught other formats, such as the programs of another processor (binfmt_misc). */
function unknownFormat(): string | null {
  try {
    const taught = readdirSync('/proc/sys/fs/binfmt_misc').filter(
      (name) => !/^(register|status)$/.test(name),
    );
    if (taught.length > 0) return null;
  } catch {
    // It knows no others.
  }
  return 'exec format error';
}

function whyMissing(file: string): string | null {
  if (!isAbsolute(file)) return null;
  try {
    accessSync(file, constants.X_OK);
    return null;
  } catch (error) {
    return systemReason(error);
  }
}

/** The first bytes of a file; null where they may not be read, which need not keep it from being executed. */
function readHead(path: string): Buffer | null {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY);
  } catch {
    return null;
  }
  try {
    const head = Buffer.alloc(headSize);
    return head.subarray(0, readSync(file, head));
  } finally {
    closeSync(file);
  }
}
