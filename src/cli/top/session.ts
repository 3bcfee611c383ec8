import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { InstanceList } from '../../contract/instances.ts';
import type { OperationResult } from '../../contract/services.ts';
import type { Why } from '../../contract/why.ts';
import { DavitError, errorMessage } from '../../lib/errors.ts';
import { servicePath } from '../arguments.ts';
import type { AgentClient } from '../client.ts';
import type { DeploymentList } from '../deployments.ts';
import { operationText } from '../operation.ts';
import { Screen } from '../screen.ts';
import type { Terminal } from '../terminal.ts';
import { listed, shownServices } from './list_picture.ts';
import { LogFeed } from './log_feed.ts';
import type { TopLook } from './look.ts';
import type { TopOrder } from './order.ts';
import { heightOf, render } from './picture.ts';
import { reduce, type TopEvent } from './reducer.ts';
import type { Effect, Operation, TopFrame, TopState } from './state.ts';

/** How long an answer may take before it is said that there is none, in milliseconds. */
const patience = 3_000;
/** How many deployments are told of. */
const lastDeployments = 5;
/** Errors after which an agent may only be asked again. */
const passing = [
  'agent_unreachable',
  'shutting_down',
  'too_many_requests',
  'internal',
  'storage_unavailable',
];

interface SessionOptions {
  readonly agent: AgentClient;
  readonly terminal: Terminal;
  readonly look: TopLook;
  readonly first: TopFrame;
  readonly order: TopOrder;
  /** Milliseconds between two looks. */
  readonly interval: number;
}

/** Shows what is and does what is typed, until somebody ends it. An agent that is gone is said to be, and comes back by itself. */
export class TopSession {
  readonly #options: SessionOptions;
  readonly #feed: LogFeed;
  readonly #quit = new AbortController();
  #state: TopState;
  #redraw: () => void = () => {};
  #lookNow = new AbortController();
  readonly #lookingCloser = new Set<string>();

  constructor(options: SessionOptions) {
    const { agent, terminal, first, order } = options;
    this.#options = options;
    this.#feed = new LogFeed(agent, (event) => this.#take(event));
    this.#state = {
      room: roomOf(terminal),
      frame: first,
      order,
      filter: '',
      selected: null,
      position: 0,
      offset: 0,
      view: { kind: 'list' },
      prompt: null,
      under_way: new Map(),
      note: null,
    };
  }

  /** Resolves when somebody quits. Throws what does not pass by itself, and why `signal` was aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { terminal } = this.#options;
    const picture = () => {
      const room = roomOf(terminal);
      const { columns, rows } = this.#state.room;
      if (room.columns !== columns || room.rows !== rows) this.#step({ kind: 'resized', room });
      return render(this.#state, terminal);
    };
    using screen = new Screen(terminal, picture, (key) => {
      this.#step({ kind: 'key', key });
      screen.draw();
    });
    this.#redraw = () => screen.drawSoon();
    screen.draw();
    try {
      await this.#lookAgainAndAgain(AbortSignal.any([signal, this.#quit.signal]));
    } finally {
      this.#redraw = () => {};
      this.#feed.close();
    }
    signal.throwIfAborted();
  }

  async #lookAgainAndAgain(ended: AbortSignal): Promise<void> {
    const { terminal, interval } = this.#options;
    const end = once(ended, 'abort');
    while (!ended.aborted) {
      await terminal.drained(ended).catch(() => {});
      const due = AbortSignal.any([ended, this.#lookNow.signal]);
      await delay(interval, undefined, { signal: due }).catch(() => {});
      if (ended.aborted) break;
      this.#lookNow = new AbortController();
      const slow = setTimeout(() => this.#lose('the agent does not answer'), patience);
      const seen = this.#look().finally(() => clearTimeout(slow));
      await Promise.race([seen, end]);
    }
  }

  async #look(): Promise<void> {
    const { look } = this.#options;
    try {
      const stats = await look.stats();
      const from = this.#state.offset;
      const shown = listed(this.#state).slice(from, from + shownServices(this.#state, heightOf(this.#state)));
      const history = await look.history(
        stats,
        shown.map(({ service }) => service),
      );
      this.#take({ kind: 'seen', frame: { stats, history, lost: null } });
    } catch (error) {
      if (!(error instanceof DavitError) || !passing.includes(error.code)) throw error;
      this.#lose(error.message);
    }
  }

  #lose(lost: string): void {
    this.#take({ kind: 'seen', frame: { ...this.#state.frame, lost } });
  }

  #take(event: TopEvent): void {
    this.#step(event);
    this.#redraw();
  }

  #step(event: TopEvent): void {
    const [state, ...effects] = reduce(this.#state, event);
    this.#state = state;
    for (const effect of effects) this.#do(effect);
  }

  #do(effect: Effect): void {
    switch (effect.kind) {
      case 'quit':
        this.#quit.abort();
        break;
      case 'look':
        this.#lookNow.abort();
        break;
      case 'look_closer':
        void this.#lookCloser(effect.service);
        break;
      case 'operate':
        void this.#operate(effect.operation, effect.service);
        break;
      case 'open_logs':
        void this.#feed.open(effect.service, effect.filter);
        break;
      case 'older_logs':
        void this.#feed.older(effect.view);
        break;
      case 'close_logs':
        this.#feed.close();
    }
  }

  async #operate(operation: Operation, service: string): Promise<void> {
    const done = (text: string, isError: boolean) =>
      this.#take({ kind: 'operated', service, note: { text, isError } });
    try {
      const result = await this.#options.agent.post<OperationResult>(servicePath(service, `/${operation}`));
      done(operationText(result).replaceAll(/\n +/g, '; '), false);
    } catch (error) {
      done(`${operation} ${service}: ${errorMessage(error)}`, true);
    }
  }

  /** One look at a time: what an agent is slow to tell is not asked for again meanwhile. */
  async #lookCloser(service: string): Promise<void> {
    if (this.#lookingCloser.has(service)) return;
    this.#lookingCloser.add(service);
    const { agent } = this.#options;
    try {
      const [why, { instances }, { deployments }] = await Promise.all([
        agent.get<Why>(servicePath(service, '/why')),
        agent.get<InstanceList>(servicePath(service, '/instances')),
        agent.get<DeploymentList>(servicePath(service, '/deployments'), { limit: lastDeployments }),
      ]);
      this.#take({ kind: 'seen_closer', service, details: { why, instances, deployments } });
    } catch (error) {
      this.#take({ kind: 'not_seen_closer', service, failure: errorMessage(error) });
    } finally {
      this.#lookingCloser.delete(service);
    }
  }
}

function roomOf({ columns, rows }: Terminal): TopState['room'] {
  return { columns, rows };
}
