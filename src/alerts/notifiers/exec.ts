import type { Notification } from '../../contract/alerts.ts';
import { clip, greatestSeverity, oneLine } from './alert_text.ts';
import { DeliveryFailure } from './delivery_failure.ts';
import type { Delivered, Notifier } from './notifier.ts';

/** A command that is run with something to read. */
export interface ExecRequest {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly input: string;
  readonly timeout_ms: number;
  readonly signal: AbortSignal;
}

/** How it ended; `code` is null where a signal ended it. */
export interface ExecResult {
  readonly code: number | null;
  readonly signal: string | null;
  readonly timed_out: boolean;
  readonly output: string;
}

/** Runs a command as the user of the agent, without a shell, and ends all that it started. */
export type RunExec = (request: ExecRequest) => Promise<ExecResult>;

export interface ExecOptions {
  readonly name: string;
  readonly command: readonly string[];
  /** In milliseconds. */
  readonly timeout: number;
  readonly run: RunExec;
}

/** How much of a fact is given in a variable, in characters. */
const longestFact = 1_000;

/** Runs a command of the configuration, which reads the notification as JSON. It is delivered where that ends with 0. */
export class Exec implements Notifier {
  readonly name: string;
  readonly #options: ExecOptions;

  constructor(options: ExecOptions) {
    this.#options = options;
    this.name = options.name;
  }

  async deliver(notification: Notification, signal: AbortSignal): Promise<Delivered> {
    const { command, timeout, run } = this.#options;
    const input = `${JSON.stringify(notification)}\n`;
    const env = factsOf(notification, this.name);
    const result = await run({ command, env, input, timeout_ms: timeout, signal });
    const answer = result.output;
    if (signal.aborted) throw new DeliveryFailure('it was ended before it was done', { retry: true });
    if (result.timed_out)
      throw new DeliveryFailure(`it takes longer than ${timeout / 1_000} s`, { retry: true, answer });
    if (result.code === 0) return { outcome: 'exit code 0', answer, problem: null };
    const how = result.code === null ? `was ended by ${result.signal}` : `ended with ${result.code}`;
    throw new DeliveryFailure(`it ${how}`, { retry: true, answer });
  }
}

/** What a script wants to know without reading JSON. */
function factsOf(notification: Notification, notifier: string): Record<string, string> {
  const { id, status, title, group, agent } = notification;
  const facts = {
    DAVIT_NOTIFIER: notifier,
    DAVIT_NOTIFICATION: id,
    DAVIT_STATUS: status,
    DAVIT_RULE: group.rule,
    DAVIT_ALERT_SERVICE: group.service ?? '',
    DAVIT_SEVERITY: greatestSeverity(notification) ?? '',
    DAVIT_HOST: agent.hostname,
    DAVIT_TITLE: title,
  };
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [name, clip(oneLine(value), longestFact)]),
  );
}
