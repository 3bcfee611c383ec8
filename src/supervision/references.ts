import type { DependencyCondition } from '../contract/policies.ts';
import type { Spec } from '../contract/spec.ts';
import { DavitError } from '../lib/errors.ts';
import { closestName, pathText } from '../lib/validation.ts';
import { findCycle } from './dependency_order.ts';

/** What of a service matters to those that depend on it, and on what it depends itself. */
export type Links = Pick<Spec, 'depends_on' | 'type' | 'readiness' | 'liveness' | 'ready_log'>;

/** What is wrong with a dependency, and in the spec of which service. */
export interface ReferenceProblem {
  readonly service: string;
  readonly path: readonly string[];
  readonly message: string;
}

/** How many ways round are told; the others show once these are gone. */
const shownCycles = 10;
/** For how many unknown names it is told what was meant. */
const shownSuggestions = 100;

/** Why a service can never be as far as `condition` says, with what would be right; null: it can be. */
const obstacles: Readonly<Record<DependencyCondition, (links: Links) => string | null>> = {
  started: () => null,
  healthy: ({ readiness, liveness }) =>
    readiness === null && liveness === null
      ? 'has no probe: use started, or give it a readiness probe'
      : null,
  completed: ({ type }) => (type === 'task' ? null : 'is no task: use started or healthy'),
  log_ready: ({ ready_log }) => (ready_log === null ? 'has no ready_log: use started, or give it one' : null),
};

/**
 * Everything that is wrong with the dependencies of services that are new or changed, and with those of others on them.
 * @param others what there will be beside them
 * @param mayName whether a service may be named to who asks, as what was meant
 */
export function checkReferences(
  changed: ReadonlyMap<string, Links>,
  others: ReadonlyMap<string, Links>,
  mayName: (id: string) => boolean = () => true,
): ReferenceProblem[] {
  const all = new Map([...others, ...changed]);
  const nameable = [...all.keys()].filter(mayName);
  let suggestions = 0;
  // To look for what was meant takes long where there are many, of which nobody reads all.
  const meant = (name: string) => (suggestions++ < shownSuggestions ? closestName(name, nameable) : null);
  const own = [...changed].flatMap(([service, { depends_on }]) =>
    Object.entries(depends_on).flatMap(([name, condition]) => {
      const problem = problemOf(name, condition, all.get(name), meant);
      return problem === null ? [] : [{ service, path: ['depends_on', name], message: problem }];
    }),
  );
  const ofOthers = [...others].flatMap(([id, { depends_on }]) =>
    changed.has(id)
      ? []
      : Object.entries(depends_on).flatMap(([name, condition]) => {
          const links = changed.get(name);
          const obstacle = links === undefined ? null : obstacles[condition](links);
          return obstacle === null
            ? []
            : [
                {
                  service: name,
                  path: [],
                  message: `${id} depends on it (${condition}), and it ${obstacle}`,
                },
              ];
        }),
  );
  return [...own, ...ofOthers, ...cyclesOf(changed, all)];
}

/** Throws `invalid_request` where `checkReferences` finds something wrong with one service. */
export function requireReferences(id: string, spec: Links, others: ReadonlyMap<string, Links>): void {
  const details = checkReferences(new Map([[id, spec]]), others).map(({ path, message }) => ({
    path: pathText(path),
    message,
  }));
  const [first] = details;
  if (first === undefined) return;
  const more = details.length > 1 ? ` (and ${details.length - 1} more)` : '';
  const place = first.path === '' ? `"${id}"` : `${first.path} of "${id}"`;
  throw new DavitError('invalid_request', `${place}: ${first.message}${more}`, { details });
}

function problemOf(
  name: string,
  condition: DependencyCondition,
  links: Links | undefined,
  meant: (name: string) => string | null,
): string | null {
  if (links === undefined) {
    const close = meant(name);
    return `there is no service "${name}"${close === null ? '' : `; did you mean "${close}"?`}`;
  }
  const obstacle = obstacles[condition](links);
  return obstacle === null ? null : `${name} ${obstacle}`;
}

/** The ways round that lead through what changed. */
function cyclesOf(changed: ReadonlyMap<string, Links>, all: ReadonlyMap<string, Links>): ReferenceProblem[] {
  const graph = new Map([...all].map(([id, { depends_on }]) => [id, Object.keys(depends_on)] as const));
  const problems: ReferenceProblem[] = [];
  while (problems.length < shownCycles) {
    const cycle = findCycle(graph);
    if (cycle === null) return problems;
    const place = Math.max(
      0,
      cycle.findIndex((name) => changed.has(name)),
    );
    const [service = '', next = ''] = [cycle[place], cycle[place + 1] ?? cycle[1]];
    if (changed.has(service))
      problems.push({
        service,
        path: ['depends_on', next],
        message: `depends on itself: ${shown(cycle, place)}`,
      });
    // Without this step, the next way round shows.
    graph.set(service, graph.get(service)?.filter((name) => name !== next) ?? []);
  }
  return problems;
}

/** The way round, begun at one of its places. */
function shown(cycle: readonly string[], place: number): string {
  const names = cycle.slice(0, -1);
  const turned = [...names.slice(place), ...names.slice(0, place)];
  return [...turned, turned[0]].join(' → ');
}
