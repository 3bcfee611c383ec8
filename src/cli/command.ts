import type { Command } from 'commander';
import { DavitError } from '../lib/errors.ts';
import { parseTraceparent } from '../lib/trace_context.ts';
import { milliseconds } from '../lib/units.ts';
import { AgentClient } from './client.ts';
import { exitCode } from './exit_codes.ts';
import { reportFailure } from './failure.ts';
import { Interruption } from './interruption.ts';
import { isLoopback, resolveTarget, type Target, type TargetFlags } from './target.ts';
import type { Environment, Streams, Terminal } from './terminal.ts';

/** The flags that every command takes. */
export interface CommonFlags extends TargetFlags {
  readonly json?: boolean;
  readonly timeout?: string;
}

/** What a command has at hand while it runs. */
export interface Run {
  readonly terminal: Terminal;
  readonly environment: Environment;
  readonly flags: CommonFlags;
  /** The result is wanted as JSON. */
  readonly json: boolean;
  /** What stood after `--`. */
  readonly rest: readonly string[];
  /** Aborted by Ctrl-C, and when nobody reads the output any more. */
  readonly signal: AbortSignal;
  /** The agent that is meant. Throws what `resolveTarget` throws. */
  agent(): AgentClient;
}

/** What a command does with its options and arguments; the number is the exit code, 0 when there is none. */
export type Action<Options, Arguments extends unknown[]> = (
  run: Run,
  options: Options,
  ...args: Arguments
) => Promise<number> | Promise<void>;

/** Turns an action into what commander calls. */
export type Act = <Options, Arguments extends unknown[]>(
  action: Action<Options, Arguments>,
) => (...given: unknown[]) => Promise<void>;

export interface FrameOptions {
  readonly streams: Streams;
  readonly terminal: Terminal;
  readonly environment: Environment;
  readonly rest: readonly string[];
  readonly onEnd: (code: number) => void;
}

/** The frame that every command but `davit agent` runs in: it hears Ctrl-C, reports failures and tells the exit code. */
export function commandFrame({ streams, terminal, environment, rest, onEnd }: FrameOptions): Act {
  return (action) =>
    async (...given) => {
      const flags: CommonFlags = (given.at(-1) as Command).optsWithGlobals();
      const args = given.slice(0, -2);
      using interruption = new Interruption(streams);
      const { signal } = interruption;
      using connection = new Connection(flags, environment, terminal, signal);
      const agent = () => connection.client();
      const run: Run = { terminal, environment, flags, json: flags.json === true, rest, signal, agent };
      try {
        onEnd((await action(run, flags as never, ...(args as never))) ?? exitCode.ok);
      } catch (error) {
        const cause = signal.aborted && !(error instanceof DavitError) ? signal.reason : error;
        const argument = String([args[0]].flat()[0] ?? '');
        onEnd(reportFailure(cause, { terminal, json: run.json, client: connection.opened, argument }));
      }
    };
}

/** The client of a command, made when it is first asked for. */
class Connection implements Disposable {
  opened: AgentClient | null = null;
  readonly #make: () => AgentClient;

  constructor(flags: CommonFlags, environment: Environment, terminal: Terminal, signal: AbortSignal) {
    this.#make = () => {
      const target = openTarget(flags, environment, terminal);
      return new AgentClient(target, timeoutOf(flags), signal, traceparentOf(environment));
    };
  }

  client(): AgentClient {
    this.opened ??= this.#make();
    return this.opened;
  }

  [Symbol.dispose](): void {
    this.opened?.close();
  }
}

/** Milliseconds; a longer timer would fire at once. */
const longestTimer = 2 ** 31 - 1;

/** Whether the caller is root, whose agent is the system's. */
export function isSuperuser(): boolean {
  return process.getuid?.() === 0;
}

function openTarget(flags: CommonFlags, environment: Environment, terminal: Terminal): Target {
  const target = resolveTarget(flags, environment, isSuperuser());
  if (target.key !== null && target.url.protocol === 'http:' && !isLoopback(target.url)) {
    terminal.note(`davit: warning: the key goes to ${target.url.host} unencrypted; use https where you can`);
  }
  return target;
}

/** What a pipeline that is traced gives to what it starts, as OpenTelemetry has it; null: none that is valid. */
function traceparentOf({ TRACEPARENT: given }: Environment): string | null {
  return given === undefined || parseTraceparent(given) === null ? null : given;
}

function timeoutOf({ timeout }: CommonFlags): number | null {
  return timeout === undefined ? null : Math.min(milliseconds(timeout), longestTimer);
}
