import type { Event, EventType } from '../contract/events.ts';
import type { Why as WhyTold } from '../contract/why.ts';
import type { EventLog } from '../services/event_log.ts';
import { type Instance, isReady } from '../services/instance.ts';
import type { Registry } from '../services/registry.ts';
import type { Service } from '../services/service.ts';

/** Whose last lines are wanted. */
export interface LinesWanted {
  readonly service: string;
  /** null: of every instance. */
  readonly instance: number | null;
  readonly release: number;
  readonly lines: number;
}

interface WhyOptions {
  readonly registry: Registry;
  readonly events: EventLog;
  readonly lastLines: (wanted: LinesWanted) => Promise<NonNullable<WhyTold['last_lines']>>;
  readonly onProblem: (message: string) => void;
}

interface WhyQuestion {
  /** null: the instance that tells most of the state. */
  readonly instance: number | null;
  /** How many events the chain holds at most. */
  readonly limit: number;
  readonly lines: number;
  /** Whether who asks may read a service; null: what concerns the agent as a whole. */
  readonly maySee: (service: string | null) => boolean;
}

/** How many earlier changes are told after the chain. */
const earlierChanges = 5;

/** Events that are no change of the state of a service. */
const noChange: ReadonlySet<EventType> = new Set([
  'service.created',
  'service.updated',
  'service.deleted',
  'service.signalled',
]);

/** Tells why a service is in the state that it is in: from its last change back along the causes. */
export class Why {
  readonly #options: WhyOptions;

  constructor(options: WhyOptions) {
    this.#options = options;
  }

  /** Throws `service_not_found` or `instance_not_found`. */
  async tell(id: string, { instance, limit, lines, maySee }: WhyQuestion): Promise<WhyTold> {
    const { registry } = this.#options;
    const service = registry.get(id);
    if (instance !== null) registry.instance(id, instance);
    const concerned = instance ?? concernedInstance(service);
    const { found, ends } = this.#chain(this.#lastChange(id, concerned), limit, maySee);
    const before = ends === 'limit' ? [] : this.#otherChanges(id, concerned, found);
    const release = found.find((event) => event.service === id && event.release !== null)?.release;
    const about = { service: id, instance: concerned, release: release ?? service.current_release };
    const tell = (event: Event) => ({ event, sentence: this.#sentence(event, id) });
    return {
      ...about,
      state: registry.status(id).status,
      sentence: this.#standing(id, concerned),
      chain: found.map(tell),
      chain_ends: ends,
      before: before.map(tell),
      last_lines: await this.#lastLines({ ...about, lines }),
    };
  }

  #lastChange(id: string, instance: number | null): Event | undefined {
    const visible = (event: Event) => isChangeOf(event, instance);
    return this.#options.events.list({ service: id, limit: 1, visible })[0];
  }

  #otherChanges(id: string, instance: number | null, chain: readonly Event[]): Event[] {
    const told = new Set(chain.map((event) => event.id));
    const visible = (event: Event) => !told.has(event.id) && isChangeOf(event, instance);
    return this.#options.events.list({ service: id, limit: earlierChanges, visible }).reverse();
  }

  #chain(
    last: Event | undefined,
    limit: number,
    maySee: WhyQuestion['maySee'],
  ): { found: readonly Event[]; ends: WhyTold['chain_ends'] } {
    const found: Event[] = [];
    for (let event = last; event !== undefined; ) {
      found.push(event);
      // A cause is always older; anything else would lead in a circle.
      if (event.cause === null || event.cause >= event.id) break;
      if (found.length === limit) return { found, ends: 'limit' };
      const cause = this.#options.events.find(event.cause);
      if (cause === null) return { found, ends: 'forgotten' };
      if (!maySee(cause.service)) return { found, ends: 'hidden' };
      if (isAskedFor(event) && cause.actor !== event.actor) break;
      event = cause;
    }
    return { found, ends: 'begin' };
  }

  #standing(id: string, instance: number | null): string {
    const { registry } = this.#options;
    const { status, message, instances } = registry.status(id);
    const isMany = instances.wanted > 1;
    const counted = isMany ? `, ${instances.running} of ${instances.wanted} instances run` : '';
    if (instance === null || !isMany) return `${id} is ${status}${counted}. ${message}`;
    const shown = registry.instances(id).instances.find((each) => each.instance === instance);
    return `${id} is ${status}${counted}. Instance ${instance} is ${shown?.status}: ${shown?.message}`;
  }

  #sentence({ service, instance, message, actor }: Event, asked: string): string {
    const of = service === null || service === asked ? '' : `${service}: `;
    const count = service === null ? 0 : (this.#options.registry.find(service)?.instances.length ?? 0);
    const isNamed = instance === null || count < 2 || message.startsWith(`Instance ${instance} `);
    const by = actor === null ? '' : ` (by ${ownNames[actor] ?? actor})`;
    return `${of}${isNamed ? '' : `Instance ${instance}: `}${message}${by}`;
  }

  async #lastLines(wanted: LinesWanted): Promise<WhyTold['last_lines']> {
    try {
      const found = await this.#options.lastLines(wanted);
      return found.map(({ time, stream, level, line }) => ({ time, stream, level, line }));
    } catch (error) {
      this.#options.onProblem(`the last lines of "${wanted.service}" cannot be read: ${String(error)}`);
      return null;
    }
  }
}

/** How the sentences call who is no user. */
const ownNames: Readonly<Record<string, string>> = { agent: 'the agent itself', schedule: 'its schedule' };

/** What somebody asked for, or a schedule, is not caused by what was before; what the agent does of itself may be. */
function isAskedFor({ actor }: Event): boolean {
  return actor !== null && actor !== 'agent';
}

function isChangeOf({ type, instance }: Event, wanted: number | null): boolean {
  if (wanted !== null && instance !== null && instance !== wanted) return false;
  return (type.startsWith('service.') || type.startsWith('deployment.')) && !noChange.has(type);
}

/** The instance that has most to tell: the one that is worst off. null: all are well, or there is only one. */
export function concernedInstance({ instances }: Service): number | null {
  const badness = instances.map((instance) => ({ instance, rank: rankOf(instance) }));
  const [worst] = badness.toSorted(
    (a, b) => a.rank - b.rank || (b.instance.last_event ?? 0) - (a.instance.last_event ?? 0),
  );
  if (worst === undefined) return null;
  if (instances.length === 1) return worst.instance.number;
  return worst.rank === well ? null : worst.instance.number;
}

const well = 9;

function rankOf(instance: Instance): number {
  const { state, readiness, liveness } = instance;
  if (state === 'running') {
    if (readiness === 'unhealthy' || liveness === 'unhealthy') return 3;
    return isReady(instance) ? well : 6;
  }
  const ranks = {
    failed: 0,
    backoff: 1,
    pending: 2,
    stopping: 4,
    starting: 5,
    paused: 7,
    draining: well,
    stopped: well,
    completed: well,
  } as const;
  return ranks[state];
}
