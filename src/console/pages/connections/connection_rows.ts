import type { Connection } from '../../../contract/connections.ts';

/** A connection, and how much goes by it now. */
export interface ConnectionRow extends Connection {
  /** Bytes a second in both directions since it was last looked at; null: it was not there then. */
  readonly rate: number | null;
}

/** Connections as they were at a time. */
export interface Look {
  /** Milliseconds on a clock that is never set. */
  readonly at: number;
  readonly rows: readonly ConnectionRow[];
}

/** What is there now, with the rates since an earlier look. The connections themselves become the rows: there may be thousands. */
export function rowsSince(before: Look | null, connections: readonly Connection[], at: number): Look {
  const known = new Map(before?.rows.map((row) => [row.id, row]));
  const seconds = before === null ? 0 : (at - before.at) / 1000;
  const rows = connections.map((connection) => {
    const earlier = known.get(connection.id);
    if (earlier === undefined || seconds <= 0) return Object.assign(connection, { rate: null });
    const bytes = connection.bytes_in + connection.bytes_out - earlier.bytes_in - earlier.bytes_out;
    return Object.assign(connection, { rate: Math.max(0, bytes) / seconds });
  });
  return { at, rows };
}

/** Those in which every word of a search stands. */
export function searchRows(rows: readonly ConnectionRow[], search: string): readonly ConnectionRow[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return rows;
  return rows.filter(({ id, client, service, host, path, rule }) => {
    const text = `${id} ${client} ${service ?? ''} ${host ?? ''}${path ?? ''} ${rule ?? ''}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}
