import type { ServiceState } from '../contract/services.ts';
import type { Command } from '../contract/spec.ts';
import { joinWords } from '../lib/words.ts';
import type { Terminal } from './terminal.ts';

const units = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
  ['s', 1],
] as const;

/** A length of time in its two greatest units: `3d 4h`, `5m 12s`, `0s`. Negative ones, of clocks that differ, are 0. */
export function age(milliseconds: number): string {
  let rest = Math.max(0, Math.floor(milliseconds / 1_000));
  const first = units.findIndex(([, seconds]) => rest >= seconds);
  const parts = units
    .slice(first === -1 ? 3 : first, (first === -1 ? 3 : first) + 2)
    .map(([unit, seconds]) => {
      const count = Math.floor(rest / seconds);
      rest %= seconds;
      return `${count}${unit}`;
    });
  return parts.filter((part, index) => index === 0 || !part.startsWith('0')).join(' ');
}

/** How long ago that was. */
export function since(time: string): string {
  return age(Date.now() - Date.parse(time));
}

/** How long it is until then. */
export function until(time: string): string {
  return age(Date.parse(time) - Date.now());
}

/** A time without its fraction of a second. */
export function moment(time: string): string {
  return time.replace(/\.\d+/, '');
}

const sizes = [
  ['GB', 1e9],
  ['MB', 1e6],
  ['KB', 1e3],
] as const;

/** `512B`, `1.5KB`, `71MB`, in powers of 1,000. */
export function sizeText(bytes: number): string {
  const [unit, size] = sizes.find(([, least]) => bytes >= least) ?? ['B', 1];
  const count = bytes / size;
  return `${unit === 'B' || count >= 10 ? Math.round(count) : count.toFixed(1)}${unit}`;
}

/** A command as one would type it. */
export function commandText(command: Command): string {
  return typeof command === 'string' ? command : joinWords(command);
}

/** A state in the colour that tells whether somebody should look. */
export function stateText(terminal: Pick<Terminal, 'style'>, state: string): string {
  const styles: Readonly<Record<ServiceState, 'green' | 'yellow' | 'red'>> = {
    running: 'green',
    completed: 'green',
    scheduled: 'green',
    pending: 'yellow',
    starting: 'yellow',
    stopping: 'yellow',
    paused: 'yellow',
    draining: 'yellow',
    backoff: 'yellow',
    stopped: 'red',
    failed: 'red',
  };
  return Object.hasOwn(styles, state) ? terminal.style(styles[state as ServiceState], state) : state;
}

/** How long something took, or takes so far; '-': it has not begun. */
export function tookText({
  started_at,
  ended_at,
}: {
  readonly started_at: string | null;
  readonly ended_at: string | null;
}): string {
  if (started_at === null) return '-';
  const milliseconds = (ended_at === null ? Date.now() : Date.parse(ended_at)) - Date.parse(started_at);
  return milliseconds >= 0 && milliseconds < 1_000 ? `${milliseconds}ms` : age(milliseconds);
}
