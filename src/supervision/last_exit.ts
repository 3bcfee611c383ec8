import { constants } from 'node:os';
import type { ExitStatus } from '../processes/launch.ts';
import type { LastExit } from '../services/service.ts';

/** How a process that was watched ended: why, and in which words. */
export function lastExit(reason: LastExit['reason'], status: ExitStatus, startedAt: number): LastExit {
  const { signal } = status;
  const at = Date.now();
  const return_code = signal === null ? status.return_code : signalExitCode(signal);
  const wasAsked = reason === 'stopped' || reason === 'agent_stopped';
  const how = describeEnd(status);
  const uptime = ((at - startedAt) / 1000).toFixed(1);
  const message = wasAsked ? `Service was stopped; its process ${how}` : `Process ${how} after ${uptime} s`;
  return { return_code, signal, at, reason, message };
}

const unseenEnds = {
  host_rebooted: 'Process ended when the host was restarted',
  start_lost: 'The agent ended while it was starting this service; what it started is not known',
  ended_unwatched: 'Process ended while no agent was watching; its exit code is not known',
} as const satisfies Partial<Record<LastExit['reason'], string>>;

/** The end of a process that nobody saw. */
export function unseenExit(reason: keyof typeof unseenEnds): LastExit {
  return { return_code: null, signal: null, at: Date.now(), reason, message: unseenEnds[reason] };
}

/** Whether a service that should run is started again when the agent starts, after it ended like this. */
export function startsAgain(exit: LastExit | null): boolean {
  return exit?.reason === 'agent_stopped' || exit?.reason === 'host_rebooted';
}

function describeEnd({ return_code, signal }: ExitStatus): string {
  if (signal !== null) return `was ended by ${signal}`;
  return return_code === null ? 'ended with a code that is not known' : `exited with code ${return_code}`;
}

/** The exit code that a shell gives to a process that a signal ended. */
function signalExitCode(signal: string): number {
  return 128 + (constants.signals[signal as NodeJS.Signals] ?? 0);
}
