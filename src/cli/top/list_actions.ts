import type { ListAction } from './keys.ts';
import { listed, shownServices } from './list_picture.ts';
import { openedLogs } from './log_view.ts';
import { nextOrder } from './order.ts';
import { heightOf } from './picture.ts';
import { ask, operate } from './service_actions.ts';
import type { Step, TopState } from './state.ts';

/** What the keys of the list of services do. */
export const listActions: Readonly<Record<ListAction, (state: TopState) => Step>> = {
  up: (state) => moved(state, -1),
  down: (state) => moved(state, 1),
  page_up: (state) => moved(state, -shownServices(state, heightOf(state))),
  page_down: (state) => moved(state, shownServices(state, heightOf(state))),
  first: (state) => [{ ...state, selected: null, position: 0 }],
  last: (state) => moved(state, Number.POSITIVE_INFINITY),
  filter: (state) => [{ ...state, prompt: { kind: 'filter' } }],
  clear: (state) => [{ ...state, filter: '' }],
  sort: (state) => [{ ...state, order: nextOrder(state.order) }],
  logs: (state) => withSelected(state, openLogs),
  details: (state) => withSelected(state, openDetails),
  restart: (state) => withSelected(state, ask('restart')),
  stop: (state) => withSelected(state, ask('stop')),
  start: (state) => withSelected(state, operate('start')),
  help: (state) => [{ ...state, prompt: { kind: 'help' } }],
  quit: (state) => [state, { kind: 'quit' }],
};

export function openLogs(state: TopState, service: string): Step {
  const view = openedLogs(service);
  return [
    { ...state, view },
    { kind: 'open_logs', service, filter: view.filter },
  ];
}

export function openDetails(state: TopState, service: string): Step {
  const view = { kind: 'details', service, details: null, failure: null, offset: 0 } as const;
  return [
    { ...state, view },
    { kind: 'look_closer', service },
  ];
}

/**
 * The state with what is in sight around the service that keys are for, wherever that has gone. One that is gone leaves its
 * place to whichever comes there.
 */
export function settled(state: TopState): TopState {
  const services = listed(state);
  const found = services.findIndex(({ service }) => service === state.selected);
  const isLost = state.selected !== null && found === -1;
  const position = Math.max(0, Math.min(isLost ? state.position : Math.max(0, found), services.length - 1));
  const shown = shownServices(state, heightOf(state));
  const least = Math.max(0, Math.min(position - shown + 1, services.length - shown));
  const offset = Math.max(least, Math.min(state.offset, position, Math.max(0, services.length - shown)));
  const selected = isLost ? (services[position]?.service ?? null) : state.selected;
  return { ...state, selected, position, offset };
}

function moved(state: TopState, by: number): Step {
  const services = listed(state);
  const to = Math.max(0, Math.min(state.position + by, services.length - 1));
  return [{ ...state, selected: services[to]?.service ?? null, position: to }];
}

/** With the service that keys are for; from then on they stay for it. */
function withSelected(state: TopState, then: (state: TopState, service: string) => Step): Step {
  const selected = state.selected ?? listed(state)[0]?.service;
  if (selected === undefined)
    return [{ ...state, note: { text: 'There is no service here.', isError: true } }];
  return then({ ...state, selected }, selected);
}
