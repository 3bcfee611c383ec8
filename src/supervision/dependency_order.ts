/** What needs what: a name, with those that must be there before it. */
export type Graph = ReadonlyMap<string, readonly string[]>;

/**
 * A way round in the graph, from a name back to itself, such as api → db → api; null: there is none.
 * The same graph gives the same answer, in whatever order it was made.
 */
export function findCycle(graph: Graph): readonly string[] | null {
  const done = new Set<string>();
  for (const start of [...graph.keys()].toSorted()) {
    const cycle = cycleFrom(graph, start, done);
    if (cycle !== null) return cycle;
  }
  return null;
}

/**
 * The names in rounds: each needs only names of earlier rounds, and stands in the first one where that is so. Within a
 * round they are sorted. What is needed but is no key of the graph counts as there. Throws where `findCycle` finds one.
 */
export function levels(graph: Graph): readonly (readonly string[])[] {
  const rounds: string[][] = [];
  const placed = new Set<string>();
  let open = [...graph.keys()].toSorted();
  while (open.length > 0) {
    const isReady = (name: string) => needsOf(graph, name).every((needed) => placed.has(needed));
    const round = open.filter(isReady);
    if (round.length === 0) throw new Error(`there is no order: ${findCycle(graph)?.join(' → ')}`);
    for (const name of round) placed.add(name);
    open = open.filter((name) => !placed.has(name));
    rounds.push(round);
  }
  return rounds;
}

/** Walks on from `start` without recursion, so that a chain may be of any length; `done` is what leads into no cycle. */
function cycleFrom(graph: Graph, start: string, done: Set<string>): readonly string[] | null {
  const trail = [{ name: start, open: needsOf(graph, start) }];
  const onTrail = new Set([start]);
  while (true) {
    const last = trail.at(-1);
    if (last === undefined) return null;
    const next = last.open.find((name) => !done.has(name));
    if (next === undefined) {
      done.add(last.name);
      onTrail.delete(last.name);
      trail.pop();
    } else if (onTrail.has(next)) {
      const names = trail.map(({ name }) => name);
      return [...names.slice(names.indexOf(next)), next];
    } else {
      trail.push({ name: next, open: needsOf(graph, next) });
      onTrail.add(next);
    }
  }
}

function needsOf(graph: Graph, name: string): readonly string[] {
  return (graph.get(name) ?? []).filter((needed) => graph.has(needed)).toSorted();
}
