import type { Rule } from '../../../contract/rules.ts';

type Ordered = Pick<Rule, 'id' | 'priority'>;

/** By how much the agent sets the priorities of rules apart that it puts in order. */
const step = 10;

/** Rules to be put in order, and the priorities that they get by that. */
export interface NewOrder {
  /** The first comes first. */
  readonly ids: readonly string[];
  readonly priorities: ReadonlyMap<string, number>;
}

/**
 * As few rules as bring `own`, which is in the order of now, into the order of `wanted`. The last of them keeps the least
 * priority of them, the others get more: so those before them that would be reached are taken in, and the one behind
 * them that would be of the same priority. null: they are in that order.
 */
export function newOrder(own: readonly Ordered[], wanted: readonly string[]): NewOrder | null {
  const byId = new Map(own.map((rule) => [rule.id, rule]));
  const priorityOf = (index: number) => own[index]?.priority ?? Number.POSITIVE_INFINITY;
  let first = own.findIndex(({ id }, index) => id !== wanted[index]);
  let last = own.findLastIndex(({ id }, index) => id !== wanted[index]);
  if (first === -1) return null;
  for (;;) {
    const least = priorityOf(last);
    const highest = least + (last - first) * step;
    const isLastRaised = byId.get(wanted[last] ?? '')?.priority !== least;
    if (first > 0 && priorityOf(first - 1) <= highest) first -= 1;
    else if (last + 1 < own.length && priorityOf(last + 1) === least && isLastRaised) last += 1;
    else {
      const ids = wanted.slice(first, last + 1);
      return { ids, priorities: new Map(ids.map((id, index) => [id, highest - index * step])) };
    }
  }
}

/**
 * The order in which all rules will be looked at once `own` are in the order of `wanted`: the others keep their priority.
 * Of the same priority, rules stay as they were to each other.
 */
export function foretold<R extends Ordered>(rules: readonly R[], wanted: readonly R[], order: NewOrder): R[] {
  const places = new Map(rules.map(({ id }, index) => [id, index]));
  const moved = new Set(wanted.map(({ id }) => id));
  const others = rules.filter(({ id }) => !moved.has(id));
  const priorityOf = ({ id, priority }: R) => order.priorities.get(id) ?? priority;
  const placeOf = ({ id }: R) => places.get(id) ?? 0;
  const result: R[] = [];
  for (const one of wanted) {
    for (let next = others[0]; next !== undefined; next = others[0]) {
      const difference = next.priority - priorityOf(one);
      if (difference < 0 || (difference === 0 && placeOf(next) > placeOf(one))) break;
      result.push(next);
      others.shift();
    }
    result.push(one);
  }
  return [...result, ...others];
}
