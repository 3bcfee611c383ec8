import type { LogLine, LogPage } from '../../contract/logs.ts';
import { errorMessage } from '../../lib/errors.ts';
import { servicePath } from '../arguments.ts';
import { AgentClient, type Query } from '../client.ts';
import { follow } from '../event_stream.ts';
import { skippedText } from '../logs.ts';
import type { LogFilter, LogView } from './log_view.ts';
import type { TopEvent } from './reducer.ts';

/** How many lines are asked for at once. */
const pageLines = 500;
/** How long lines wait for others that come with them, in milliseconds, and how many wait at most. */
const gatherTime = 50;
const mostGathered = 1_000;

/** Asks an agent for the logs of one service, and tells what comes; nothing more once it is closed. */
export class LogFeed {
  readonly #agent: AgentClient;
  readonly #tell: (event: TopEvent) => void;
  #opening = new AbortController();
  #live = new AbortController();

  constructor(agent: AgentClient, tell: (event: TopEvent) => void) {
    this.#agent = agent;
    this.#tell = tell;
  }

  /** Follows the logs of a service, in place of what was followed; that goes on until the agent has answered. */
  async open(service: string, filter: LogFilter): Promise<void> {
    this.#opening.abort();
    const control = new AbortController();
    this.#opening = control;
    const { signal } = control;
    const client = new AgentClient(this.#agent.target, null, signal);
    const path = servicePath(service, '/logs');
    try {
      const page = await client.get<LogPage>(path, { ...queryOf(filter), lines: pageLines });
      this.#live.abort();
      this.#live = control;
      this.#tell({ kind: 'logs_opened', filter, page });
      await this.#follow({
        client,
        path,
        query: { ...queryOf(filter), follow: 'true', after: page.after },
        signal,
      });
    } catch (error) {
      const kind = this.#live === control ? 'logs_ended' : 'logs_failed';
      if (!signal.aborted) this.#tell({ kind, failure: errorMessage(error) });
    } finally {
      client.close();
    }
  }

  /** Asks for lines from before those that there are. */
  async older({ service, filter, before }: LogView): Promise<void> {
    const { signal } = this.#live;
    try {
      const query = { ...queryOf(filter), before: before ?? undefined, lines: pageLines };
      const page = await this.#agent.get<LogPage>(servicePath(service, '/logs'), query);
      if (!signal.aborted) this.#tell({ kind: 'older_logs', page });
    } catch (error) {
      if (!signal.aborted) this.#tell({ kind: 'logs_failed', failure: errorMessage(error) });
    }
  }

  close(): void {
    this.#opening.abort();
    this.#live.abort();
  }

  async #follow(source: {
    readonly client: AgentClient;
    readonly path: string;
    readonly query: Query;
    readonly signal: AbortSignal;
  }): Promise<void> {
    const note = (text: string) => {
      if (!source.signal.aborted) this.#tell({ kind: 'noted', note: { text, isError: false } });
    };
    const gathered: LogLine[] = [];
    let timer: NodeJS.Timeout | undefined;
    const tell = () => {
      clearTimeout(timer);
      timer = undefined;
      if (!source.signal.aborted) this.#tell({ kind: 'logs_written', lines: gathered.splice(0) });
    };
    try {
      for await (const { event, data } of follow({ ...source, onNotice: note })) {
        if (event === 'skipped') note(skippedText(JSON.parse(data)));
        if (event !== 'line') continue;
        gathered.push(JSON.parse(data));
        if (gathered.length >= mostGathered) tell();
        else timer ??= setTimeout(tell, gatherTime);
      }
    } finally {
      clearTimeout(timer);
    }
  }
}

function queryOf({ grep, level }: LogFilter): Query {
  return { grep: grep ?? undefined, level: level ?? undefined };
}
