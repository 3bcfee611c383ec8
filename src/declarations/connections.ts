import { readFileSync } from 'node:fs';

/** How many connections there are to a port of this host. */
export type ConnectionCount = (port: number) => number;

/** What stands in the fourth column of an established connection. */
const established = '01';

/** The connections of this moment, by the port on this host; null where the system does not tell. */
export function readConnections(): ConnectionCount | null {
  const tables = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => read(file) ?? []);
  if (tables.length === 0) return null;
  const counts = new Map<number, number>();
  for (const table of tables) {
    for (const port of portsOf(table)) counts.set(port, (counts.get(port) ?? 0) + 1);
  }
  return (port) => counts.get(port) ?? 0;
}

/** The local port of each established connection in a table of the kernel. */
export function portsOf(table: string): number[] {
  return table
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, local = '', , state] = line.trim().split(/\s+/);
      return state === established ? [Number.parseInt(local.slice(local.lastIndexOf(':') + 1), 16)] : [];
    });
}

function read(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
