import type { LogAction } from './keys.ts';
import { openDetails } from './list_actions.ts';
import { inSight } from './log_picture.ts';
import { type LogFilter, type LogView, lastOf, nextLevel } from './log_view.ts';
import { heightOf, measure } from './picture.ts';
import { ask, operate } from './service_actions.ts';
import type { Step, TopState } from './state.ts';

/** What the keys of the logs of a service do. */
export const logActions: Readonly<Record<LogAction, (state: TopState, view: LogView) => Step>> = {
  up: (state, view) => moved(state, view, (view.anchor ?? lastOf(view)) - 1),
  down: (state, view) => moved(state, view, (view.anchor ?? lastOf(view)) + 1),
  page_up: (state, view) => moved(state, view, pageAbove(state, view)),
  page_down: (state, view) => moved(state, view, pageBelow(state, view)),
  first: (state, view) => moved(state, view, view.first),
  follow: (state, view) => followed(state, view),
  pause: (state, view) => (view.anchor === null ? moved(state, view, lastOf(view)) : followed(state, view)),
  grep: (state, view) => [{ ...state, prompt: { kind: 'grep', text: view.filter.grep ?? '' } }],
  level: (state, view) => filtered(state, view, { ...view.filter, level: nextLevel(view.filter.level) }),
  wrap: (state, view) => [{ ...state, view: { ...view, wraps: !view.wraps } }],
  times: (state, view) => [{ ...state, view: { ...view, shows_times: !view.shows_times } }],
  details: (state, { service }) => {
    const [next, ...effects] = openDetails(state, service);
    return [next, { kind: 'close_logs' }, ...effects];
  },
  restart: (state, { service }) => ask('restart')(state, service),
  stop: (state, { service }) => ask('stop')(state, service),
  start: (state, { service }) => operate('start')(state, service),
  back: (state) => [{ ...state, view: { kind: 'list' } }, { kind: 'close_logs' }],
  help: (state) => [{ ...state, prompt: { kind: 'help' } }],
  quit: (state) => [state, { kind: 'quit' }],
};

/** Asks for the lines that a filter lets through; those that are shown stay until the agent has answered. */
export function filtered(state: TopState, { service }: LogView, filter: LogFilter): Step {
  return [state, { kind: 'open_logs', service, filter }];
}

/** The newest lines again, which must be asked for where not all of them were kept, or none come any more. */
function followed(state: TopState, view: LogView): Step {
  if (view.missed > 0 || view.state === 'ended') return filtered(state, view, view.filter);
  return [{ ...state, view: { ...view, anchor: null } }];
}

/** With that line as the lowest in sight, or the one next to it that leaves no row empty. Older lines are asked for in good time. */
function moved(state: TopState, view: LogView, to: number): Step {
  if (view.lines.length === 0) return [state];
  const { rows, canvas } = roomOf(state);
  const lowest = inSight({ ...view, anchor: view.first }, rows, canvas).to;
  const anchor = Math.max(Math.min(to, lastOf(view)), Math.min(lowest, lastOf(view)));
  const next: LogView = { ...view, anchor };
  const isNearBegin = inSight(next, rows, canvas).from - view.first < rows;
  if (view.before === null || view.state !== 'live' || !isNearBegin) return [{ ...state, view: next }];
  const asking: LogView = { ...next, state: 'older' };
  return [
    { ...state, view: asking },
    { kind: 'older_logs', view: asking },
  ];
}

/** The lowest line of the page above, which has the highest line in sight once more. */
function pageAbove(state: TopState, view: LogView): number {
  const { rows, canvas } = roomOf(state);
  const { from, to } = inSight(view, rows, canvas);
  return from < to ? from : to - 1;
}

/** The lowest line of the page below, which has the lowest line in sight once more. */
function pageBelow(state: TopState, view: LogView): number {
  const { rows, canvas } = roomOf(state);
  const { from, to } = inSight(view, rows, canvas);
  return to + Math.max(1, to - from);
}

function roomOf(state: TopState) {
  return { rows: heightOf(state) - 1, canvas: measure(state) };
}
