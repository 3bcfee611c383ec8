/**
 * What the file of the history holds. A tick is one row as it comes; those of a stretch of time become, for each series,
 * chunks of every resolution, and the times of the ticks a row of their own, for they are those of all series.
 */
export const historyMigrations: readonly string[] = [
  `
  CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE
  ) STRICT;
  CREATE TABLE ticks (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    samples BLOB NOT NULL
  ) STRICT;
  CREATE TABLE stretches (
    start INTEGER PRIMARY KEY,
    times BLOB NOT NULL
  ) STRICT;
  CREATE TABLE chunks (
    series INTEGER NOT NULL,
    resolution INTEGER NOT NULL,
    start INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (series, resolution, start)
  ) STRICT;
  CREATE TABLE progress (
    merged_until INTEGER NOT NULL
  ) STRICT;
  INSERT INTO progress VALUES (0);
  `,
];
