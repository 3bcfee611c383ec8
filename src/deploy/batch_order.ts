import type { BatchOperation } from '../contract/batch.ts';
import { findCycle } from '../supervision/dependency_order.ts';

/** What an operation does with what its service depends on: needs it, or lets go of it. */
const effects: Readonly<Record<BatchOperation['operation'], 'begins' | 'ends' | 'neither'>> = {
  deploy: 'begins',
  start: 'begins',
  restart: 'begins',
  rollback: 'begins',
  stop: 'ends',
  delete: 'ends',
  scale: 'neither',
  signal: 'neither',
  pause: 'neither',
  resume: 'neither',
};

/**
 * Which operations of a batch must have ended before another one begins: a service starts after those that it depends on,
 * and ends before them.
 * @param dependsOn the services that one depends on by itself, as far as it is known already
 */
export function batchOrder(
  items: readonly BatchOperation[],
  dependsOn: (service: string) => readonly string[],
): (item: BatchOperation) => readonly BatchOperation[] {
  const graph = new Map(items.map((item) => [item.service, namesOf(item, dependsOn(item.service))]));
  // What goes round in circles is refused by the operations themselves.
  if (findCycle(graph) !== null) return () => [];
  const needs = (one: string, other: string) => graph.get(one)?.includes(other) ?? false;
  return (item) => {
    const effect = effects[item.operation];
    const alike = items.filter(
      (other) => effects[other.operation] === effect && other.service !== item.service,
    );
    if (effect === 'begins') return alike.filter((other) => needs(item.service, other.service));
    if (effect === 'ends') return alike.filter((other) => needs(other.service, item.service));
    return [];
  };
}

function namesOf(item: BatchOperation, known: readonly string[]): readonly string[] {
  const added = item.operation === 'deploy' ? Object.keys(item.body.depends_on ?? {}) : [];
  return [...new Set([...known, ...added])];
}
