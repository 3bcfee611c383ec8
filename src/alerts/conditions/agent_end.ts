import type { EventLog } from '../../services/event_log.ts';
import { finding, type Look, nothing } from './finding.ts';

/** How long it is told that an agent died, in milliseconds. */
const toldFor = 600_000;

/** Whether the agent before this one ended without having been stopped. */
export class AgentEnd {
  readonly #wasOrderly: boolean;
  readonly #began: number;

  /** To be made before this agent notes its own start. */
  constructor(events: EventLog, now: number) {
    const newest = (type: 'agent.started' | 'agent.stopping') =>
      events.list({ type, limit: 1, visible: () => true })[0]?.id ?? 0;
    const hasRun = events.lastTime !== null;
    this.#wasOrderly = !hasRun || newest('agent.stopping') > newest('agent.started');
    this.#began = now;
  }

  /** @param event that noted the start of this agent */
  look(event: number | null, now: number): Look {
    const over = this.#began + toldFor;
    if (this.#wasOrderly || now >= over || now < this.#began) return nothing;
    const summary =
      'the agent was started again, though the one before had not been stopped: it died, or the host did';
    return { findings: [finding({ summary, event, since: this.#began })], again_at: over };
  }
}
