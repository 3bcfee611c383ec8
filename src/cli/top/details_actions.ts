import { lastOffset } from './details_picture.ts';
import type { DetailsAction } from './keys.ts';
import { openLogs } from './list_actions.ts';
import { heightOf, measure } from './picture.ts';
import { ask, operate } from './service_actions.ts';
import type { DetailsView, Step, TopState } from './state.ts';

/** What the keys of the details of a service do. */
export const detailsActions: Readonly<Record<DetailsAction, (state: TopState, view: DetailsView) => Step>> = {
  up: (state, view) => moved(state, view, view.offset - 1),
  down: (state, view) => moved(state, view, view.offset + 1),
  page_up: (state, view) => moved(state, view, view.offset - page(state)),
  page_down: (state, view) => moved(state, view, view.offset + page(state)),
  first: (state, view) => moved(state, view, 0),
  last: (state, view) => moved(state, view, Number.POSITIVE_INFINITY),
  logs: (state, { service }) => openLogs(state, service),
  restart: (state, { service }) => ask('restart')(state, service),
  stop: (state, { service }) => ask('stop')(state, service),
  start: (state, { service }) => operate('start')(state, service),
  back: (state) => [{ ...state, view: { kind: 'list' } }],
  help: (state) => [{ ...state, prompt: { kind: 'help' } }],
  quit: (state) => [state, { kind: 'quit' }],
};

function moved(state: TopState, view: DetailsView, to: number): Step {
  const offset = Math.max(0, Math.min(to, lastOffset(view, heightOf(state), measure(state))));
  return [{ ...state, view: { ...view, offset } }];
}

/** The last line of a page is the first one of the next. */
function page(state: TopState): number {
  return Math.max(1, heightOf(state) - 2);
}
