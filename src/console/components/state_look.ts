/** How a state is meant: each has a colour and a form, so that none is told by colour alone. */
export type Meaning = 'good' | 'warn' | 'bad' | 'idle' | 'busy';

const meanings: Readonly<Record<string, Meaning>> = {
  running: 'good',
  completed: 'good',
  succeeded: 'good',
  healthy: 'good',
  resolved: 'good',
  ok: 'good',
  starting: 'busy',
  pending: 'busy',
  stopping: 'busy',
  draining: 'busy',
  waiting: 'busy',
  baking: 'busy',
  scheduled: 'idle',
  paused: 'warn',
  backoff: 'warn',
  not_ready: 'warn',
  warning: 'warn',
  failed: 'bad',
  deployment_failed: 'bad',
  unhealthy: 'bad',
  firing: 'bad',
  critical: 'bad',
  problem: 'bad',
};

/** What is not named is idle. */
export function meaningOf(state: string): Meaning {
  return meanings[state] ?? 'idle';
}

export const signs: Readonly<Record<Meaning, string>> = {
  good: '●',
  busy: '◐',
  warn: '▲',
  bad: '✖',
  idle: '○',
};
