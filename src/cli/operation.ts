import type { StopReport } from '../contract/processes.ts';
import type { OperationResult } from '../contract/services.ts';
import { safeText } from './text.ts';

/** What an operation did, as one line, and one more for each thing that somebody should know. */
export function operationText(result: OperationResult): string {
  const { service, status, release, pid, stop, message } = result;
  const name = safeText(service);
  switch (status) {
    case 'stopped':
      return stop === undefined || stop.ended_by === 'already_gone'
        ? `${name}: ${safeText(message)}`
        : `${name}: stopped${stopText(stop)}`;
    case 'deleted':
      return `${name}: deleted${stop === undefined ? '' : stopText(stop)}`;
    case 'scaled':
    case 'waiting':
      return `${name}: ${safeText(message)}${stopTrouble(result)}`;
    case 'paused':
    case 'resumed':
      return `${name}: ${status}`;
    default: {
      const of = pid === undefined ? `release ${release}` : `release ${release} as pid ${pid}`;
      return `${name}: ${safeText(status).replaceAll('_', ' ')}, ${of}${stopTrouble(result)}`;
    }
  }
}

/** What of the stop within an operation somebody should know, a line for each. */
export function stopTrouble({ stop }: OperationResult): string {
  return stop === undefined ? '' : trouble(stop);
}

/** How a process ended, when that was not simply by the signal asked for. */
function stopText(stop: StopReport): string {
  const { duration_ms } = stop;
  const time =
    duration_ms < 1_000 ? `${Math.round(duration_ms)} ms` : `${(duration_ms / 1_000).toFixed(1)} s`;
  const how =
    stop.ended_by === 'kill'
      ? `by SIGKILL, after ${time} of ${stop.signal} in vain`
      : `by ${stop.signal}, in ${time}`;
  return ` ${safeText(how)}${trouble(stop)}`;
}

/** What of a stop somebody should know, a line for each. */
export function trouble({ swept, survivors }: StopReport): string {
  const lines = [];
  if (swept.length > 0)
    lines.push(`  processes that had left its group were killed too: ${swept.join(', ')}`);
  if (survivors.length > 0) lines.push(`  STILL RUNNING, could not be killed: ${survivors.join(', ')}`);
  return lines.map((line) => `\n${safeText(line)}`).join('');
}
