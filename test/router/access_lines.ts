import type { RouterSettings } from '../../src/contract/routing_table.ts';

/** A line of the access log as whoever reads it gets it. */
export type ReadLine = Readonly<Record<string, unknown>> & {
  readonly time: string;
  readonly duration_ms: number;
  readonly upstream_ms: number | null;
};

/** Everything is written down. */
export const everything: NonNullable<RouterSettings['access_log']> = {
  sample: 1,
  errors: true,
  slow: null,
  client_address: 'full',
};

/** Only what fails is. */
export const failuresOnly = { ...everything, sample: 0 };

export function readLine(line: string): ReadLine {
  return JSON.parse(line) as ReadLine;
}

/** What of a line is the same whenever the same happens. */
export function lasting(line: string): Readonly<Record<string, unknown>> {
  const { time, duration_ms, upstream_ms, ...rest } = readLine(line);
  const kinds = { time: typeof time, duration_ms: typeof duration_ms, upstream_ms: typeof upstream_ms };
  return { ...rest, ...kinds };
}
