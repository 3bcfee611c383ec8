import { DavitError } from '../lib/errors.ts';

/** How far a reader of a service's output is: everything before has been read. */
export interface Cursor {
  readonly run: number;
  readonly stdout: number;
  readonly stderr: number;
}

/** A cursor as text. It stays valid when the agent is started again, and when the oldest output is removed. */
export function formatCursor({ run, stdout, stderr }: Cursor): string {
  return `${run}.${stdout}.${stderr}`;
}

/** Throws `invalid_request` for a text that is no cursor. */
export function parseCursor(text: string): Cursor {
  const [, run, stdout, stderr] = /^(\d{1,12})\.(\d{1,15})\.(\d{1,15})$/.exec(text) ?? [];
  if (run !== undefined) return { run: Number(run), stdout: Number(stdout), stderr: Number(stderr) };
  throw new DavitError('invalid_request', 'the cursor is not one that came with a line of this log');
}
