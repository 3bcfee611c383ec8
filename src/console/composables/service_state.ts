import type { Service } from '../../contract/services.ts';

/** Whether it belongs to the agent itself, as the routers do: the configuration says what it is. */
export function isOwn(id: string): boolean {
  return id.startsWith('davit.');
}

/** How many instances fewer are ready than are wanted. */
export function missingInstances({ spec, status: { wanted, instances } }: Service): number {
  return wanted === 'running' && spec.type !== 'task' ? Math.max(0, instances.wanted - instances.ready) : 0;
}

/**
 * The state of a service, with which one that runs and lacks instances that are ready is told from one that is well, and
 * one that stands still because its last deployment failed from one that was stopped.
 * @param undeployed the ids of those whose last deployment failed
 */
export function shownState(service: Service, undeployed: ReadonlySet<string> = new Set()): string {
  const { status } = service.status;
  if (status === 'stopped' && undeployed.has(service.id)) return 'deployment_failed';
  return status === 'running' && missingInstances(service) > 0 ? 'not_ready' : status;
}
