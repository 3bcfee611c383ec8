import { constants } from 'node:os';
import type { ExitStatus } from '../processes/exit_status.ts';
import type { LastExit } from '../services/instance.ts';

/** How a process ended: why, and in which words. `startedAt` is null when no agent was there to see it. */
export function lastExit(reason: LastExit['reason'], status: ExitStatus, startedAt: number | null): LastExit {
  const { signal } = status;
  const at = Date.now();
  const return_code = signal === null ? status.return_code : signalExitCode(signal);
  const wasAsked = reason in askedEnds;
  const asked = wasAsked ? askedEnds[reason as keyof typeof askedEnds] : 'Process';
  const uptime = startedAt === null || wasAsked ? '' : ` after ${((at - startedAt) / 1000).toFixed(1)} s`;
  const unseen = startedAt === null ? ' while no agent was watching' : '';
  const memory = reason === 'out_of_memory' ? ', because memory ran out' : '';
  return {
    return_code,
    signal,
    at,
    reason,
    message: `${asked} ${describeEnd(status)}${uptime}${unseen}${memory}`,
  };
}

/** How the ends begin that the agent brought about itself. */
const askedEnds = {
  stopped: 'Service was stopped; its process',
  agent_stopped: 'Service was stopped; its process',
  unhealthy: 'Service was ended because its liveness probe failed; its process',
  dependency: 'Service was ended because of what it depends on; its process',
} as const satisfies Partial<Record<LastExit['reason'], string>>;

const unseenEnds = {
  host_rebooted: 'Process ended when the host was restarted',
  start_lost: 'The agent ended before it had started this service',
} as const satisfies Partial<Record<LastExit['reason'], string>>;

/** An end that left no word. */
export function unseenExit(reason: keyof typeof unseenEnds): LastExit {
  return { return_code: null, signal: null, at: Date.now(), reason, message: unseenEnds[reason] };
}

/** Ends that no restart policy is asked about: nobody wanted them, and the program had no part in them. */
const endsForNow: ReadonlySet<LastExit['reason']> = new Set(['agent_stopped', 'host_rebooted', 'start_lost']);

/** Whether a service that should run is started again when the agent starts, after it ended like this. */
export function startsAgain(exit: LastExit | null): boolean {
  return exit !== null && endsForNow.has(exit.reason);
}

function describeEnd({ return_code, signal }: ExitStatus): string {
  if (signal !== null) return `was ended by ${signal}`;
  return return_code === null ? 'ended with a code that is not known' : `exited with code ${return_code}`;
}

/** The exit code that a shell gives to a process that a signal ended. */
function signalExitCode(signal: string): number {
  return 128 + (constants.signals[signal as NodeJS.Signals] ?? 0);
}
