import type { LogLine, LogPage } from '../../contract/logs.ts';
import { detailsActions } from './details_actions.ts';
import { actionOf, bindings } from './keys.ts';
import { listActions, settled } from './list_actions.ts';
import { logActions } from './log_actions.ts';
import { type LogFilter, type LogView, withNewer, withNewest, withOlder } from './log_view.ts';
import { takePromptKey } from './prompt_keys.ts';
import type { Details, Note, Room, Step, TopFrame, TopState } from './state.ts';

/** What happened: somebody typed, or the agent answered. */
export type TopEvent =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'resized'; readonly room: Room }
  | { readonly kind: 'seen'; readonly frame: TopFrame }
  | { readonly kind: 'seen_closer'; readonly service: string; readonly details: Details }
  | { readonly kind: 'not_seen_closer'; readonly service: string; readonly failure: string }
  | { readonly kind: 'operated'; readonly service: string; readonly note: Note }
  | { readonly kind: 'logs_opened'; readonly filter: LogFilter; readonly page: LogPage }
  | { readonly kind: 'logs_written'; readonly lines: readonly LogLine[] }
  | { readonly kind: 'older_logs'; readonly page: LogPage }
  /** What was asked of logs was not answered; what comes, goes on. */
  | { readonly kind: 'logs_failed'; readonly failure: string }
  /** Nothing comes any more. */
  | { readonly kind: 'logs_ended'; readonly failure: string }
  | { readonly kind: 'noted'; readonly note: Note };

/** What follows from what happened: the one place in which the state of `davit top` changes. */
export function reduce(state: TopState, event: TopEvent): Step {
  const [next, ...effects] = event.kind === 'key' ? takeKey(state, event.key) : takeFact(state, event);
  return [settled(next), ...effects];
}

function takeKey(before: TopState, key: string): Step {
  const state: TopState = { ...before, note: null };
  const { prompt, view } = state;
  if (prompt !== null) return takePromptKey(state, prompt, key);
  switch (view.kind) {
    case 'list': {
      const action = actionOf(bindings.list, key);
      return action === null ? [state] : listActions[action](state);
    }
    case 'logs': {
      const action = actionOf(bindings.logs, key);
      return action === null ? [state] : logActions[action](state, view);
    }
    case 'details': {
      const action = actionOf(bindings.details, key);
      return action === null ? [state] : detailsActions[action](state, view);
    }
  }
}

function takeFact(state: TopState, event: Exclude<TopEvent, { kind: 'key' }>): Step {
  const { view } = state;
  switch (event.kind) {
    case 'resized':
      return [{ ...state, room: event.room }];
    case 'seen':
      return takeFrame(state, event.frame);
    case 'seen_closer':
      if (view.kind !== 'details' || view.service !== event.service) return [state];
      return [{ ...state, view: { ...view, details: event.details, failure: null } }];
    case 'not_seen_closer':
      if (view.kind !== 'details' || view.service !== event.service) return [state];
      return [{ ...state, view: { ...view, failure: event.failure } }];
    case 'operated': {
      const under_way = new Map([...state.under_way].filter(([service]) => service !== event.service));
      return [{ ...state, under_way, note: event.note }, { kind: 'look' }];
    }
    case 'noted':
      return [{ ...state, note: event.note }];
    default:
      return view.kind === 'logs' ? [takeLogs(state, view, event)] : [state];
  }
}

function takeFrame(state: TopState, frame: TopFrame): Step {
  const { view, note } = state;
  if (view.kind === 'list') return [{ ...state, frame }];
  const { service } = view;
  const isThere = ({ stats }: TopFrame) => stats.services.some((each) => each.service === service);
  const gone: Note = { text: `There is no service "${service}" any more.`, isError: true };
  const next = { ...state, frame, note: isThere(state.frame) && !isThere(frame) ? gone : note };
  return view.kind === 'details' ? [next, { kind: 'look_closer', service }] : [next];
}

type LogEvent = Extract<
  TopEvent,
  { kind: 'logs_opened' | 'logs_written' | 'older_logs' | 'logs_failed' | 'logs_ended' }
>;

function takeLogs(state: TopState, view: LogView, event: LogEvent): TopState {
  switch (event.kind) {
    case 'logs_opened':
      return { ...state, view: withNewest(view, event.filter, event.page) };
    case 'logs_written':
      return { ...state, view: withNewer(view, event.lines) };
    case 'older_logs':
      return { ...state, view: withOlder(view, event.page) };
    case 'logs_failed': {
      const note = { text: event.failure, isError: true };
      // There is nothing to be seen.
      if (view.state === 'opening') return { ...state, view: { kind: 'list' }, note };
      return { ...state, view: { ...view, state: view.state === 'older' ? 'live' : view.state }, note };
    }
    case 'logs_ended': {
      const text = `${event.failure}; f follows again`;
      return { ...state, view: { ...view, state: 'ended' }, note: { text, isError: true } };
    }
  }
}
