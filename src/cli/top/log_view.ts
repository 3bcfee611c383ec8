import type { LogLine, LogPage } from '../../contract/logs.ts';
import { type LogLevel, logLevels } from '../../contract/scalars.ts';

/** How many lines are kept to be looked through. */
export const mostLines = 5_000;

/** Which lines are wanted; null: all. */
export interface LogFilter {
  readonly grep: string | null;
  readonly level: LogLevel | null;
}

/** The logs of one service. */
export interface LogView {
  readonly kind: 'logs';
  readonly service: string;
  readonly filter: LogFilter;
  /** The oldest first. */
  readonly lines: readonly LogLine[];
  /** The number of the first of these lines: they are counted on as they come, and back as older ones are asked for. */
  readonly first: number;
  /** Where older lines are; null: there are none. */
  readonly before: string | null;
  /** The number of the lowest line in sight; null: the newest, whichever that is. */
  readonly anchor: number | null;
  /** How many lines came after these and were not kept, as somebody looks at older ones. */
  readonly missed: number;
  /**
   * `opening`: nothing has been answered yet; `live`: lines come as they are written; `older`: so they do, and older ones are
   * on their way; `ended`: none come any more.
   */
  readonly state: 'opening' | 'live' | 'older' | 'ended';
  readonly wraps: boolean;
  readonly shows_times: boolean;
}

/** The logs of a service of which nothing is known yet. */
export function openedLogs(service: string): LogView {
  return {
    kind: 'logs',
    service,
    filter: { grep: null, level: null },
    lines: [],
    first: 0,
    before: null,
    anchor: null,
    missed: 0,
    state: 'opening',
    wraps: false,
    shows_times: false,
  };
}

/** The number of the last line; one less than `first` where there is none. */
export function lastOf({ first, lines }: LogView): number {
  return first + lines.length - 1;
}

/** Begins anew with the newest lines that a filter lets through. */
export function withNewest(view: LogView, filter: LogFilter, page: LogPage): LogView {
  const before = page.truncated ? page.before : null;
  return { ...view, filter, lines: page.lines, first: 0, before, anchor: null, missed: 0, state: 'live' };
}

/** With lines that came. Where they are not in sight anyway, what is looked at stays, and what has no room is counted. */
export function withNewer(view: LogView, lines: readonly LogLine[]): LogView {
  if (view.anchor !== null) {
    const room = view.missed > 0 ? 0 : Math.max(0, mostLines - view.lines.length);
    const missed = view.missed + Math.max(0, lines.length - room);
    return { ...view, lines: [...view.lines, ...lines.slice(0, room)], missed };
  }
  const all = [...view.lines, ...lines];
  const excess = Math.max(0, all.length - mostLines);
  // The cursor of a line is the place after it.
  const before = all[excess - 1]?.cursor ?? view.before;
  return { ...view, lines: all.slice(excess), first: view.first + excess, before };
}

/** With lines from before those that there are. */
export function withOlder(view: LogView, page: LogPage): LogView {
  const before = page.truncated ? page.before : null;
  const state = view.state === 'older' ? 'live' : view.state;
  // Who follows again meanwhile has no use for them.
  if (view.anchor === null) return { ...view, state };
  const all = [...page.lines, ...view.lines];
  const missed = view.missed + Math.max(0, all.length - mostLines);
  const first = view.first - page.lines.length;
  const lines = all.slice(0, mostLines);
  const anchor = Math.min(view.anchor, first + lines.length - 1);
  return { ...view, lines, first, before, anchor, missed, state };
}

/** The least level after this one; null: all, which the lowest of levels would be, too. */
export function nextLevel(level: LogLevel | null): LogLevel | null {
  return logLevels[level === null ? 1 : logLevels.indexOf(level) + 1] ?? null;
}
