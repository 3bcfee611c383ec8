import type { PlanCost, PlannedAction, PlanStep } from '../contract/declaration.ts';
import type { Spec } from '../contract/spec.ts';
import { needsRestart, type SpecChange, specChanges } from '../services/spec_changes.ts';
import { awaitsDeploy } from '../supervision/awaited_values.ts';
import { levels } from '../supervision/dependency_order.ts';
import type { ConnectionCount } from './connections.ts';
import type { Declaration } from './draft.ts';
import type { KnownService, RunningInstance, World } from './world.ts';

/** What would be done, in the order in which it would begin: what others depend on comes first, what is deleted last. */
export interface PlannedWork {
  readonly name: string;
  readonly actions: readonly PlanStep[];
  readonly changes: boolean;
  readonly summary: string;
}

export interface PlanOptions {
  /** Delete what was declared under this name and is no longer. */
  readonly prune: boolean;
  /** null: nobody can tell. */
  readonly connections: ConnectionCount | null;
}

const noCost: PlanCost = { restarts: [], starts: [], stops: [], connections: 0, ports: [] };

/** What makes of the world what is declared, and what that costs. */
export function makePlan(declared: Declaration, world: World, options: PlanOptions): PlannedWork {
  const graph = new Map([...declared.services].map(([id, { depends_on }]) => [id, Object.keys(depends_on)]));
  const wanted = levels(graph)
    .flat()
    .flatMap((id) => {
      const spec = declared.services.get(id);
      return spec === undefined ? [] : [stepFor(id, spec, declared.name, world.get(id) ?? null, options)];
    });
  const actions = [
    ...wanted,
    ...noLongerDeclared(declared, world).map((known) => stepForLeft(known, options)),
  ];
  const changes = actions.some(({ action }) => action !== 'none');
  return { name: declared.name, actions, changes, summary: summaryOf(actions) };
}

/** What was declared under the name and is no longer; what depends on others comes before them. */
export function noLongerDeclared({ name, services }: Declaration, world: World): KnownService[] {
  const left = [...world.values()].filter(({ id, declared_in }) => declared_in === name && !services.has(id));
  const graph = new Map(left.map(({ id, spec }) => [id, Object.keys(spec.depends_on)]));
  return levels(graph)
    .flat()
    .toReversed()
    .flatMap((id) => world.get(id) ?? []);
}

function stepFor(
  service: string,
  spec: Spec,
  name: string,
  known: KnownService | null,
  { connections }: PlanOptions,
): PlanStep {
  if (known === null) {
    const starts = willStart(spec) ? numbers(spec.instances) : [];
    const reason = starts.length > 0 ? 'it is new' : `it is new, and waits for ${awaited(spec)}`;
    return { service, action: 'create', changes: [], cost: { ...noCost, starts }, reason };
  }
  // As many as somebody asked for count as what there is: to declare that number changes nothing.
  const changes = specChanges({ ...known.spec, instances: known.instances }, spec);
  const outdated = known.running.filter((instance) => isToRestart(spec, instance));
  const action = actionFor(known, changes, outdated, name);
  const cost = action === 'none' || action === 'adopt' ? noCost : costOf(known, spec, connections);
  return {
    service,
    action,
    changes,
    cost,
    reason: reasonFor(action, { known, changes, outdated, name, spec }),
  };
}

function stepForLeft(known: KnownService, { prune, connections }: PlanOptions): PlanStep {
  const { id, running } = known;
  const step = { service: id, changes: [] };
  if (!prune)
    return {
      ...step,
      action: 'none',
      cost: noCost,
      reason: 'it is no longer declared, and stays: only --prune deletes it',
    };
  const cost = { ...noCost, stops: numbersOf(running), connections: countAt(running, connections) };
  return { ...step, action: 'delete', cost, reason: 'it is no longer declared' };
}

function actionFor(
  { wanted, state, declared_in, spec }: KnownService,
  changes: readonly SpecChange[],
  outdated: readonly RunningInstance[],
  name: string,
): PlannedAction {
  const isScaled = changes.length > 0 && changes.every(({ field }) => field === 'instances');
  if (outdated.length === 0 && wanted === 'running' && isScaled) return 'scale';
  if (changes.length > 0 || outdated.length > 0) return 'deploy';
  if ((wanted === 'stopped' || state === 'failed') && !awaitsDeploy(spec)) return 'start';
  return declared_in === null || declared_in === name ? 'none' : 'adopt';
}

interface Grounds {
  readonly known: KnownService;
  readonly changes: readonly SpecChange[];
  readonly outdated: readonly RunningInstance[];
  readonly name: string;
  readonly spec: Spec;
}

function reasonFor(action: PlannedAction, { known, changes, outdated, name, spec }: Grounds): string {
  const { declared_in, wanted, running } = known;
  const was = declared_in !== null && declared_in !== name ? `; it was of "${declared_in}"` : '';
  const also = wanted === 'stopped' && action === 'deploy' ? '; it is stopped, and is started' : '';
  switch (action) {
    case 'scale':
      return `another number of instances${was}`;
    case 'deploy': {
      if (changes.length === 0) return `what runs of it is an earlier release${was}`;
      const isQuiet = running.length > 0 && outdated.length === 0;
      return `its spec changes${isQuiet ? ', and what runs goes on' : ''}${also}${was}`;
    }
    case 'start':
      return `${wanted === 'stopped' ? 'it is stopped' : 'it failed, and is not tried again by itself'}${was}`;
    case 'adopt':
      return `it is of "${declared_in}" so far, and otherwise as declared`;
    default:
      if (!willStart(spec)) return `it is as declared, and waits for ${awaited(spec)}`;
      return declared_in === null ? `it is as declared, and of "${name}" from now on` : 'it is as declared';
  }
}

/** Whether an instance must be started anew; a run of a task with a schedule goes on, the next one is as declared. */
function isToRestart(spec: Spec, instance: RunningInstance): boolean {
  return spec.schedule === null && needsRestart(instance.spec, spec);
}

function willStart(spec: Spec): boolean {
  return spec.schedule === null && !awaitsDeploy(spec);
}

function awaited(spec: Spec): string {
  return awaitsDeploy(spec) ? 'the deploy that brings what it needs' : 'its time';
}

function costOf({ running }: KnownService, spec: Spec, connections: ConnectionCount | null): PlanCost {
  const kept = running.filter(({ number }) => number <= spec.instances);
  const restarted = kept.filter((instance) => isToRestart(spec, instance));
  const stopped = running.filter(({ number }) => number > spec.instances);
  const present = new Set(numbersOf(running));
  const starts = willStart(spec) ? numbers(spec.instances).filter((number) => !present.has(number)) : [];
  return {
    restarts: numbersOf(restarted),
    starts,
    stops: numbersOf(stopped),
    connections: countAt([...restarted, ...stopped], connections),
    ports: restarted.flatMap(({ number, port }) => {
      const to = portOf(spec, number);
      // A port that is picked may well be the same one again.
      return to === port || (to === 'auto' && port !== null) ? [] : [{ instance: number, from: port, to }];
    }),
  };
}

function portOf({ port }: Spec, number: number): PlanCost['ports'][number]['to'] {
  return typeof port === 'number' ? port + number - 1 : port;
}

function countAt(instances: readonly RunningInstance[], connections: ConnectionCount | null): number | null {
  if (connections === null) return null;
  return instances.reduce((sum, { port }) => sum + (port === null ? 0 : connections(port)), 0);
}

const counted: readonly (readonly [PlannedAction[], string])[] = [
  [['create'], 'to create'],
  [['deploy', 'scale'], 'to change'],
  [['start'], 'to start'],
  [['adopt'], 'to take over'],
  [['delete'], 'to delete'],
  [['none'], 'unchanged'],
];

function summaryOf(actions: readonly PlanStep[]): string {
  const counts = counted.flatMap(([kinds, words]) => {
    const count = actions.filter(({ action }) => kinds.includes(action)).length;
    return count === 0 ? [] : `${count} ${words}`;
  });
  const total = (of: (cost: PlanCost) => number) => actions.reduce((sum, { cost }) => sum + of(cost), 0);
  const restarts = total(({ restarts }) => restarts.length);
  const stops = total(({ stops: ended }) => ended.length);
  const dropped = total(({ connections }) => connections ?? 0);
  const costs = [
    ...(restarts > 0 ? [`${restarts} ${restarts === 1 ? 'instance restarts' : 'instances restart'}`] : []),
    ...(stops > 0 ? [`${stops} ${stops === 1 ? 'instance ends' : 'instances end'}`] : []),
    ...(dropped > 0 ? [`${dropped} ${dropped === 1 ? 'connection drops' : 'connections drop'}`] : []),
  ];
  return [counts.join(', ') || 'nothing is declared', ...(costs.length > 0 ? [costs.join(', ')] : [])].join(
    '; ',
  );
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

function numbersOf(instances: readonly RunningInstance[]): number[] {
  return instances.map(({ number }) => number);
}
