import type { View } from './state.ts';

/** Keys that do one thing. */
export interface Binding {
  /** As `keyName` names them. */
  readonly keys: readonly string[];
  /** How they are called where people read. */
  readonly label: string;
  /** What they do. */
  readonly help: string;
}

const operating = {
  restart: { keys: ['r'], label: 'r', help: 'restart the service, once it is confirmed' },
  stop: { keys: ['x'], label: 'x', help: 'stop it, once it is confirmed' },
  start: { keys: ['u'], label: 'u', help: 'start it (up)' },
} satisfies Record<string, Binding>;

const always = {
  help: { keys: ['?'], label: '?', help: 'show and hide these keys' },
  quit: { keys: ['q'], label: 'q, Ctrl-C', help: 'end' },
} satisfies Record<string, Binding>;

const moving = {
  up: { keys: ['up', 'k'], label: '↑ k', help: 'one up' },
  down: { keys: ['down', 'j'], label: '↓ j', help: 'one down' },
  page_up: { keys: ['pageup', 'ctrl+b'], label: 'PgUp', help: 'a page up' },
  page_down: { keys: ['pagedown', 'ctrl+f'], label: 'PgDn', help: 'a page down' },
} satisfies Record<string, Binding>;

/** What each key does in each view. */
export const bindings = {
  list: {
    ...moving,
    first: { keys: ['home', 'g'], label: 'Home g', help: 'to what comes first, whatever that is' },
    last: { keys: ['end', 'G'], label: 'End G', help: 'to the last one' },
    filter: { keys: ['/'], label: '/', help: 'only what has these letters in its name or state' },
    clear: { keys: ['escape'], label: 'Esc', help: 'show all again' },
    sort: { keys: ['s'], label: 's', help: 'sort by something else' },
    logs: { keys: ['return', 'enter', 'l'], label: 'Enter l', help: 'its logs, as they come' },
    details: { keys: ['d'], label: 'd', help: 'why it is as it is, instances, deployments' },
    ...operating,
    ...always,
  },
  logs: {
    ...moving,
    first: { keys: ['home', 'g'], label: 'Home g', help: 'to the oldest line that is here' },
    follow: { keys: ['end', 'G', 'f'], label: 'End G f', help: 'follow the newest lines' },
    pause: { keys: ['p', ' '], label: 'p Space', help: 'stand still, and follow again' },
    grep: { keys: ['/'], label: '/', help: 'only lines that match (RE2 syntax)' },
    level: { keys: ['e'], label: 'e', help: 'only lines of at least the next level' },
    wrap: { keys: ['w'], label: 'w', help: 'wrap long lines, or cut them' },
    times: { keys: ['t'], label: 't', help: 'show when lines were seen' },
    details: { keys: ['d'], label: 'd', help: 'why the service is as it is' },
    ...operating,
    back: { keys: ['escape'], label: 'Esc', help: 'back to the services' },
    ...always,
  },
  details: {
    ...moving,
    first: { keys: ['home', 'g'], label: 'Home g', help: 'to the begin' },
    last: { keys: ['end', 'G'], label: 'End G', help: 'to the end' },
    logs: { keys: ['return', 'enter', 'l'], label: 'Enter l', help: 'its logs, as they come' },
    ...operating,
    back: { keys: ['escape', 'd'], label: 'Esc d', help: 'back to the services' },
    ...always,
  },
} as const satisfies Record<View['kind'], Record<string, Binding>>;

export type ListAction = keyof (typeof bindings)['list'];
export type LogAction = keyof (typeof bindings)['logs'];
export type DetailsAction = keyof (typeof bindings)['details'];

/** What a key does, by its name; null: nothing. */
export function actionOf<Action extends string>(
  table: Readonly<Record<Action, Binding>>,
  key: string,
): Action | null {
  const actions = Object.keys(table) as Action[];
  return actions.find((action) => table[action].keys.includes(key)) ?? null;
}
