import type { Deployment } from '../../contract/deployments.ts';
import type { InstanceStatus } from '../../contract/instances.ts';
import type { Stats } from '../../contract/stats.ts';
import type { Why } from '../../contract/why.ts';
import type { Values } from '../sparkline.ts';
import type { LogView } from './log_view.ts';
import type { TopOrder } from './order.ts';

/** What is known of all services at one time. */
export interface TopFrame {
  readonly stats: Stats;
  /** What series were lately, by their keys. */
  readonly history: ReadonlyMap<string, Values>;
  /** Why the agent cannot be asked now; null: it was. */
  readonly lost: string | null;
}

/** How much room there is. */
export interface Room {
  readonly columns: number;
  readonly rows: number;
}

/** What can be done to a service by a key. */
export type Operation = 'restart' | 'stop' | 'start';

/** What is known of one service. */
export interface Details {
  readonly why: Why;
  readonly instances: readonly InstanceStatus[];
  /** The newest first. */
  readonly deployments: readonly Deployment[];
}

export interface ListView {
  readonly kind: 'list';
}

export interface DetailsView {
  readonly kind: 'details';
  readonly service: string;
  /** null: not known yet. */
  readonly details: Details | null;
  /** Why nothing newer is known; null: it is. */
  readonly failure: string | null;
  /** How many of its lines are above what is in sight. */
  readonly offset: number;
}

export type View = ListView | LogView | DetailsView;

/** What the next keys are for, where that is not the view. */
export type Prompt =
  | { readonly kind: 'help' }
  | { readonly kind: 'filter' }
  | { readonly kind: 'grep'; readonly text: string }
  | { readonly kind: 'question'; readonly operation: Operation; readonly service: string };

/** Something that is said until the next key. */
export interface Note {
  readonly text: string;
  readonly isError: boolean;
}

/** All that `davit top` knows and shows. */
export interface TopState {
  readonly room: Room;
  readonly frame: TopFrame;
  readonly order: TopOrder;
  /** What the id or the state of a service in the list contains; '': all are shown. */
  readonly filter: string;
  /** The service that keys are for; null: whichever comes first. */
  readonly selected: string | null;
  /** Where in the list that service was seen last, from 0. */
  readonly position: number;
  /** How many services of the list are above what is in sight. */
  readonly offset: number;
  readonly view: View;
  readonly prompt: Prompt | null;
  /** What was asked for and has not ended yet, by service. */
  readonly under_way: ReadonlyMap<string, Operation>;
  readonly note: Note | null;
}

/** What is to be done in the world. */
export type Effect =
  | { readonly kind: 'quit' }
  | { readonly kind: 'operate'; readonly operation: Operation; readonly service: string }
  | { readonly kind: 'look' }
  | { readonly kind: 'look_closer'; readonly service: string }
  | { readonly kind: 'open_logs'; readonly service: string; readonly filter: LogView['filter'] }
  | { readonly kind: 'older_logs'; readonly view: LogView }
  | { readonly kind: 'close_logs' };

/** The state that follows, and what is to be done. */
export type Step = readonly [state: TopState, ...effects: Effect[]];
