import type { Event } from '../../contract/events.ts';
import type { EventLog } from '../../services/event_log.ts';
import { finding, type Look, nothing } from './finding.ts';

/** How many restarts of a service are remembered: as many as a rule may ask for. */
const kept = 1_000;
/** How many events are looked through for those of earlier agents. */
const lookedThrough = 20_000;

interface Restart {
  readonly at: number;
  readonly event: number;
}

/** When services were started again by themselves, oldest first. One that somebody stopped or started begins anew. */
export class RestartTimes {
  readonly #events: EventLog;
  readonly #restarts = new Map<string, Restart[]>();

  constructor(events: EventLog) {
    this.#events = events;
    events.subscribe((event) => this.#take(event));
  }

  /** Takes up what happened while earlier agents ran. */
  begin(): void {
    this.#restarts.clear();
    const visible = ({ type }: Event) => type.startsWith('service.');
    for (const event of this.#events.list({ limit: lookedThrough, visible })) this.#take(event);
  }

  /** That there were at least `count` within the last `window` milliseconds. */
  look(service: string, { count, window, now }: { count: number; window: number; now: number }): Look {
    const within = (this.#restarts.get(service) ?? []).filter(({ at }) => at > now - window && at <= now);
    const oldest = within.at(-count);
    const last = within.at(-1);
    if (oldest === undefined || last === undefined) return nothing;
    const summary = `${service} was started again ${within.length} times within ${lengthText(window)}`;
    return {
      findings: [finding({ summary, value: within.length, event: last.event })],
      again_at: oldest.at + window,
    };
  }

  #take({ id, type, service, actor, time }: Event): void {
    if (service === null) return;
    if (type === 'service.deleted') this.#restarts.delete(service);
    // What somebody asked for is no part of a loop, and what follows is another try.
    if (actor !== null && actor !== 'agent' && isAsked.has(type)) this.#restarts.delete(service);
    if (type !== 'service.restarting') return;
    const known = this.#restarts.get(service) ?? [];
    known.push({ at: Date.parse(time), event: id });
    if (known.length > kept) known.shift();
    this.#restarts.set(service, known);
  }
}

const isAsked: ReadonlySet<string> = new Set(['service.stopped', 'service.starting', 'deployment.started']);

function lengthText(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1_000);
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;
}
