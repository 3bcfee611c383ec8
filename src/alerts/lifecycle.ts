/** `clearing`: it is over, but not yet for as long as its rule says; it still counts as firing. */
export type AlertState = 'inactive' | 'pending' | 'firing' | 'clearing' | 'resolved';

/** What a look found: whether it is so, and whether that has lasted long enough. */
type Input = 'holds' | 'holds_long' | 'over' | 'over_long';

/** How long it must be so before it fires, and over before it is resolved, in milliseconds. */
export interface Patience {
  readonly hold_ms: number;
  readonly keep_ms: number;
}

/** Where an alert is. */
export interface Course {
  readonly state: AlertState;
  /** Since when it is so (`pending`) or over (`clearing`), in milliseconds since the epoch; says nothing in other states. */
  readonly since: number;
}

const begins = {
  holds: 'pending',
  holds_long: 'firing',
  over: 'inactive',
  over_long: 'inactive',
} as const satisfies Record<Input, AlertState>;

const ends = {
  holds: 'firing',
  holds_long: 'firing',
  over: 'clearing',
  over_long: 'resolved',
} as const satisfies Record<Input, AlertState>;

/** One that is resolved stays so: what is found later is another alert. */
const rests = { holds: 'resolved', holds_long: 'resolved', over: 'resolved', over_long: 'resolved' } as const;

const transitions: Readonly<Record<AlertState, Readonly<Record<Input, AlertState>>>> = {
  inactive: begins,
  pending: begins,
  firing: ends,
  clearing: ends,
  resolved: rests,
};

/** Where an alert is after a look. A clock that was set back only makes it wait anew. */
export function nextCourse(
  course: Course,
  isSo: boolean,
  { hold_ms, keep_ms }: Patience,
  now: number,
): Course {
  const wanted = isSo ? hold_ms : keep_ms;
  const waits = course.state === (isSo ? 'pending' : 'clearing');
  const begin = waits ? Math.min(course.since, now) : now;
  const isLong = now - begin >= wanted;
  const state =
    transitions[course.state][isSo ? (isLong ? 'holds_long' : 'holds') : isLong ? 'over_long' : 'over'];
  if (state === 'pending' || state === 'clearing') return { state, since: begin };
  return { state, since: state === course.state ? course.since : now };
}

/** When it goes on by itself while nothing changes, in milliseconds since the epoch; null: never. */
export function dueAt({ state, since }: Course, { hold_ms, keep_ms }: Patience): number | null {
  if (state === 'pending') return since + hold_ms;
  return state === 'clearing' ? since + keep_ms : null;
}
