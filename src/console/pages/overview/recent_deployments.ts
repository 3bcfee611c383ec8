import type { Event } from '../../../contract/events.ts';

/** A deployment as its events tell it. */
export interface RecentDeployment {
  /** The id of its newest event. */
  readonly id: number;
  readonly service: string;
  readonly release: number | null;
  readonly state: 'under_way' | 'succeeded' | 'failed' | 'cancelled' | 'superseded';
  /** Of its newest event. */
  readonly time: string;
  readonly actor: string | null;
  readonly message: string;
}

const ends = ['succeeded', 'failed', 'cancelled', 'superseded'] as const;

/** Puts the events of each deployment together, the newest deployment first; `events` are newest first. */
export function deploymentsOf(events: readonly Event[], most: number): RecentDeployment[] {
  const found: RecentDeployment[] = [];
  const open = new Set<string>();
  for (const { id, type, service, release, time, actor, message } of events) {
    if (service === null || !type.startsWith('deployment.')) continue;
    const key = `${service} ${release}`;
    if (!open.has(key)) {
      if (found.length === most) break;
      const state = ends.find((end) => type === `deployment.${end}`) ?? 'under_way';
      found.push({ id, service, release, state, time, actor, message });
      open.add(key);
    }
    // What is older is of an earlier deployment of the same release.
    if (type === 'deployment.started') open.delete(key);
  }
  return found;
}

/** The newest event of each service. */
export function newestOf(events: readonly Event[]): Map<string, Event> {
  const newest = new Map<string, Event>();
  for (const event of events) {
    if (event.service !== null && !newest.has(event.service)) newest.set(event.service, event);
  }
  return newest;
}
