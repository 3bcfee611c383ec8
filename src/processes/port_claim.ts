import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { systemErrorCode } from '../lib/errors.ts';

/** Ports below this one only root may use, and no other account may claim them before root does. */
const firstOrdinaryPort = 1024;

/** What keeps other agents on the host from giving the same port to a service of theirs, as long as it is open. */
export interface PortClaim {
  close(): void;
}

/**
 * Claims a port among the agents of the host; null when another has claimed it. A claim is a socket of a name in no
 * folder (unix(7), "abstract"): no two can have it, whoever they run as, and it ends with its agent. Its reach is that of
 * ports, the network namespace. Where the system has no such sockets, nobody can claim anything, and everybody may.
 */
export async function claimPort(port: number): Promise<PortClaim | null> {
  if (process.platform !== 'linux' || port < firstOrdinaryPort) return { close: () => {} };
  const server = createServer((connection) => connection.destroy());
  server.listen({ path: `\0${nameOf(port)}` });
  // Such as a connection that could not be accepted, of which nobody wants anything.
  server.on('error', () => {});
  server.unref();
  try {
    await once(server, 'listening');
    return { close: () => close(server) };
  } catch (error) {
    if (systemErrorCode(error) === 'EADDRINUSE') return null;
    // Not the claim is refused, but the socket (a filter of system calls, no more descriptors).
    return { close: () => {} };
  }
}

/** The inode of the socket by which an agent has claimed a port; null when nobody has, or the system does not tell. */
export function inodeOfClaim(port: number): string | null {
  try {
    const sockets = readFileSync('/proc/net/unix', 'latin1');
    return new RegExp(` (\\d+) @${nameOf(port)}$`, 'm').exec(sockets)?.[1] ?? null;
  } catch {
    return null;
  }
}

function nameOf(port: number): string {
  return `davit-port-${port}`;
}

function close(server: Server): void {
  if (server.listening) server.close();
}
