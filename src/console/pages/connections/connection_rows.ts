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

/**
 * What is there now, with the rates since an earlier look. There may be thousands, of which most rest: a row of which
 * nothing has changed stays the one that it was, and so do all of them where none has, so that nothing is sorted and drawn
 * again for it. The other connections themselves become the rows.
 */
export function rowsSince(before: Look | null, connections: readonly Connection[], at: number): Look {
  const known = new Map<string, ConnectionRow>();
  for (const row of before?.rows ?? []) known.set(row.id, row);
  const seconds = before === null ? 0 : (at - before.at) / 1000;
  const rows = connections.map((connection) => {
    const earlier = known.get(connection.id);
    const row = Object.assign(connection, { rate: rateSince(earlier, connection, seconds) });
    return earlier !== undefined && isSame(earlier, row) ? earlier : row;
  });
  const isAsBefore = rows.length === before?.rows.length && rows.every((row, at) => row === before.rows[at]);
  return { at, rows: isAsBefore ? before.rows : rows };
}

function rateSince(earlier: ConnectionRow | undefined, now: Connection, seconds: number): number | null {
  if (earlier === undefined || seconds <= 0) return null;
  const bytes = now.bytes_in + now.bytes_out - earlier.bytes_in - earlier.bytes_out;
  return Math.max(0, bytes) / seconds;
}

function isSame(one: ConnectionRow, other: ConnectionRow): boolean {
  return (Object.keys(other) as (keyof ConnectionRow)[]).every((name) => one[name] === other[name]);
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
