import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';

/** TCP_ESTABLISHED and what follows it while our side has not been answered, as the kernel numbers states. */
const openStates: ReadonlySet<string> = new Set(['01', '04', '08', '09', '0B']);

/** How many bytes of a connection the other host has not acknowledged yet; null where the system does not tell. */
export async function unacknowledged({
  localPort,
  remotePort,
  remoteFamily,
}: Socket): Promise<number | null> {
  if (localPort === undefined || remotePort === undefined) return null;
  const file = remoteFamily === 'IPv6' ? '/proc/self/net/tcp6' : '/proc/self/net/tcp';
  try {
    return queuedBytes(await readFile(file, 'latin1'), localPort, remotePort);
  } catch {
    return null;
  }
}

/**
 * The send queue of a connection as /proc/net/tcp shows it: `sl local:port remote:port state tx_queue:rx_queue …`, all in
 * hexadecimal digits. Where several have these ports, the longest. null: there is none.
 */
export function queuedBytes(table: string, localPort: number, remotePort: number): number | null {
  const [local, remote] = [localPort, remotePort].map((port) =>
    port.toString(16).toUpperCase().padStart(4, '0'),
  );
  const row = new RegExp(`:${local} [0-9A-F]+:${remote} ([0-9A-F]{2}) ([0-9A-F]{8}):`, 'g');
  const queues = [...table.matchAll(row)]
    .filter(([, state = '']) => openStates.has(state))
    .map(([, , queue = '']) => Number.parseInt(queue, 16));
  return queues.length === 0 ? null : Math.max(...queues);
}
