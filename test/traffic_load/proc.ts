import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { isRunning } from '../helpers/system.ts';

/** The living processes of whose command line this holds. */
export function processesWhere(fits: (words: readonly string[]) => boolean): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && fits(read(`/proc/${pid}/cmdline`).split('\0')) && isRunning(pid));
}

/** A TCP socket (IPv4) that a process holds. */
interface Socket {
  readonly localPort: number;
  readonly remotePort: number;
  readonly isListening: boolean;
}

/** Whether a process listens on a port. */
export function listens(pid: number, port: number): boolean {
  return socketsOf(pid).some(({ localPort, isListening }) => isListening && localPort === port);
}

/** The ports of the other ends of the connections that a process has accepted at a port, on the loopback interface. */
export function clientPorts(pid: number, port: number): Set<number> {
  const accepted = socketsOf(pid).filter(({ localPort, isListening }) => !isListening && localPort === port);
  return new Set(accepted.map(({ remotePort }) => remotePort));
}

function socketsOf(pid: number): Socket[] {
  const held = inodesOf(pid);
  return read(`/proc/${pid}/net/tcp`)
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => held.has(fields[9] ?? ''))
    .map(([, local = '', remote = '', state]) => ({
      localPort: portOf(local),
      remotePort: portOf(remote),
      isListening: state === '0A',
    }));
}

/** Of an address as the kernel writes it: `0100007F:1F90`. */
function portOf(address: string): number {
  return Number.parseInt(address.split(':')[1] ?? '', 16);
}

function inodesOf(pid: number): Set<string> {
  const folder = `/proc/${pid}/fd`;
  const links = list(folder).map((name) => link(`${folder}/${name}`));
  return new Set(links.flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []));
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function link(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
