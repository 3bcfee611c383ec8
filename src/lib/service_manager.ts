import { execFile } from 'node:child_process';
import { systemErrorCode } from './errors.ts';

/** How the agent tells systemd how it fares. Outside systemd every call does nothing. */
export interface ServiceManager {
  /** The start or a reload is complete. Resolves when systemd has taken note of it, or could not be reached. */
  ready(status: string): Promise<void>;
  /** A reload has begun; `ready` ends it. */
  reloading(): Promise<void>;
  stopping(): Promise<void>;
  /** One line for `systemctl status`. */
  status(text: string): Promise<void>;
  /**
   * Tells systemd's watchdog three times per period (WatchdogSec of the unit) that the agent is alive, as long as
   * the event loop turns and `isHealthy` says so. Returns the function that ends this.
   */
  startWatchdog(isHealthy: () => boolean): () => void;
  /**
   * Whether the host itself is going down or rebooting, or the systemd of the account that the agent runs under.
   * Services then have to be ended in order, for after the agent comes nothing but the kill of all that is left, with
   * the network gone. False where systemd does not tell.
   */
  isHostStopping(): Promise<boolean>;
}

export interface ServiceManagerOptions {
  /** The agent's own environment, where systemd leaves NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. */
  readonly environment: NodeJS.ProcessEnv;
  /** Called once, with the first reason why systemd could not be told. */
  readonly onWarning: (message: string) => void;
}

/** systemd's tools answer in milliseconds; while systemd reloads itself they may wait for seconds. */
const TOOL_TIMEOUT_MS = 10_000;
const DEFAULT_PATH = '/usr/local/bin:/usr/bin:/bin';

/**
 * Speaks systemd's notification protocol through `systemd-notify`, since Node has no datagram sockets of the kind it
 * needs. As root, that tool sends in the name of its parent, so that the unit's `NotifyAccess=main` holds.
 */
export function createServiceManager({ environment, onWarning }: ServiceManagerOptions): ServiceManager {
  const socket = environment['NOTIFY_SOCKET'];
  const path = environment['PATH'] ?? DEFAULT_PATH;
  let warn = (reason: string) => {
    warn = () => {};
    onWarning(`systemd cannot be told how the agent fares: ${reason}`);
  };
  // One after the other: systemd must not see "ready" before the "reloading" that it ends.
  let last: Promise<void> = Promise.resolve();

  function notify(...assignments: string[]): Promise<void> {
    if (!socket) return Promise.resolve();
    const env = { PATH: path, NOTIFY_SOCKET: socket };
    last = last
      .then(() => run('systemd-notify', assignments, env))
      .then(({ failure }) => {
        if (failure !== null) warn(failure);
      });
    return last;
  }

  return {
    ready: (status) => notify('READY=1', statusLine(status)),
    reloading: () => notify('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`),
    stopping: () => notify('STOPPING=1'),
    status: (text) => notify(statusLine(text)),
    startWatchdog: (isHealthy) =>
      startWatchdog(watchdogPeriod(environment), isHealthy, () => notify('WATCHDOG=1')),
    isHostStopping: async () => {
      if (!socket) return false;
      const runtime = environment['XDG_RUNTIME_DIR'];
      const isUser = runtime !== undefined && runtime !== '' && socket.startsWith(`${runtime}/`);
      const answers = [run('systemctl', ['is-system-running'], { PATH: path })];
      if (isUser) {
        const env = { PATH: path, XDG_RUNTIME_DIR: runtime };
        answers.push(run('systemctl', ['--user', 'is-system-running'], env));
      }
      return (await Promise.all(answers)).some(({ output }) => output.trim() === 'stopping');
    },
  };
}

/** A line break would begin another assignment of the protocol. */
function statusLine(text: string): string {
  return `STATUS=${text.replace(/\s+/g, ' ')}`;
}

/** Milliseconds within which systemd wants to hear of this process; null when it does not. */
function watchdogPeriod(environment: NodeJS.ProcessEnv): number | null {
  const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID } = environment;
  const period = Number(WATCHDOG_USEC) / 1000;
  const isMeant = WATCHDOG_PID === undefined || Number(WATCHDOG_PID) === process.pid;
  return NOTIFY_SOCKET && isMeant && period > 0 ? period : null;
}

function startWatchdog(
  period: number | null,
  isHealthy: () => boolean,
  ping: () => Promise<void>,
): () => void {
  if (period === null) return () => {};
  let isPinging = false;
  const beat = async () => {
    if (isPinging || !isHealthy()) return;
    isPinging = true;
    await ping();
    isPinging = false;
  };
  // A timer alone proves no full turn of the loop: the immediate comes after the sockets have had theirs.
  let turn: NodeJS.Immediate | undefined;
  const timer = setInterval(() => {
    turn = setImmediate(beat);
  }, period / 3);
  timer.unref();
  return () => {
    clearInterval(timer);
    clearImmediate(turn);
  };
}

/** Never rejects: `failure` says in words why the tool did not do its work. */
function run(
  tool: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ output: string; failure: string | null }> {
  return new Promise((resolve) => {
    execFile(tool, args, { env, timeout: TOOL_TIMEOUT_MS }, (error, output, complaint) => {
      resolve({ output, failure: error === null ? null : reasonOf(tool, error, complaint) });
    });
  });
}

function reasonOf(tool: string, error: Error, complaint: string): string {
  if (systemErrorCode(error) === 'ENOENT') return `there is no ${tool} in PATH`;
  return `${tool} failed: ${complaint.trim() || error.message}`;
}
