import type { MetricsAnswer, Stats } from '../../contract/stats.ts';
import { DavitError } from '../../lib/errors.ts';
import type { AgentClient } from '../client.ts';
import type { Values } from '../sparkline.ts';

/** What the charts of the head are of. */
const wholeSeries = ['host.cpu', 'host.memory', 'agent.cpu', 'agent.memory'];
/** How far back charts go, and how far their values are apart. */
const chartTime = '30m';
const chartStep = '1m';
/** How many characters the names of series may have in one question. */
const longestQuestion = 4_000;
/** How often charts are asked for, in milliseconds: they hardly change from one picture to the next. */
const chartInterval = 10_000;

/** Asks an agent for what `davit top` shows. */
export class TopLook {
  readonly #agent: AgentClient;
  #history = new Map<string, Values>();
  #asked = '';
  #askAgainAt = 0;

  constructor(agent: AgentClient) {
    this.#agent = agent;
  }

  stats(): Promise<Stats> {
    return this.#agent.get<Stats>('/api/v1/stats');
  }

  /**
   * What the series of these services, and of the host where the key may know of it, were lately; empty where the agent keeps no
   * history. Charts that were asked for a moment ago are given again.
   */
  async history({ host }: Stats, services: readonly string[]): Promise<ReadonlyMap<string, Values>> {
    const keys = [
      ...(host === null ? [] : wholeSeries),
      ...services.flatMap((service) => [`service.cpu:${service}`, `service.memory:${service}`]),
    ];
    const asked = keys.join();
    const now = performance.now();
    if (asked === this.#asked && now < this.#askAgainAt) return this.#history;
    const answers = await Promise.all(questions(keys).map((series) => this.#ask(series)));
    this.#history = new Map(answers.flat());
    this.#asked = asked;
    this.#askAgainAt = now + chartInterval;
    return this.#history;
  }

  /** An agent that keeps no history, cannot read it, or is too old to know of any, gives none. */
  async #ask(series: string): Promise<[string, Values][]> {
    try {
      const query = { series, from: chartTime, step: chartStep };
      const answer = await this.#agent.get<MetricsAnswer>('/api/v1/metrics/query', query);
      return answer.series.map(({ series: key, points }) => [key, points.map(([, value]) => value)]);
    } catch (error) {
      if (error instanceof DavitError && error.code !== 'agent_unreachable') return [];
      throw error;
    }
  }
}

/** The keys in lists that are short enough for one question each. */
function questions(keys: readonly string[]): string[] {
  const lists: string[] = [];
  for (const key of keys) {
    const last = lists.at(-1);
    if (last !== undefined && last.length + key.length < longestQuestion)
      lists[lists.length - 1] = `${last},${key}`;
    else lists.push(key);
  }
  return lists;
}
