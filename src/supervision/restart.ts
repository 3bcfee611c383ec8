import type { Spec } from '../contract/spec.ts';
import { milliseconds } from '../lib/units.ts';
import type { LastExit, Restarts } from '../services/instance.ts';

/** What is to become of an instance whose process is gone. */
export type NextStep =
  | { readonly next: 'rests' }
  | { readonly next: 'has_completed' }
  | { readonly next: 'fails'; readonly retry_at: number | null; readonly restarts: Restarts }
  | { readonly next: 'restarts'; readonly retry_at: number; readonly restarts: Restarts };

export interface EndedInstance {
  readonly spec: Pick<Spec, 'type' | 'restart' | 'success_exit_codes'>;
  readonly exit: Pick<LastExit, 'reason' | 'return_code'>;
  /** How long it was up, in milliseconds; null where nobody knows. */
  readonly uptime: number | null;
  readonly restarts: Restarts;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** From 0 to 1, for the jitter. */
  readonly random: number;
}

/** The least wait once restarts follow each other, in milliseconds: it doubles up to two seconds, so that no loop costs much. */
const leastWait = 100;
const leastLongestWait = 2_000;

/** The policy of an instance: what its spec says, or what is usual for what it is. */
export function policyOf({ type, restart }: EndedInstance['spec']): 'always' | 'on_failure' | 'never' {
  return restart.policy ?? (type === 'task' ? 'never' : 'always');
}

/** Whether a process that ended by itself has ended well. */
export function endedWell({ exit, spec }: Pick<EndedInstance, 'exit' | 'spec'>): boolean {
  return exit.reason === 'exited' && spec.success_exit_codes.includes(exit.return_code ?? -1);
}

/** What the restart policy says of an instance that nobody stopped. */
export function afterExit(ended: EndedInstance): NextStep {
  const { spec, restarts, now } = ended;
  const policy = policyOf(spec);
  const isWell = endedWell(ended);
  if (isWell && spec.type === 'task') return { next: 'has_completed' };
  if (policy === 'never' && spec.type === 'task') return { next: 'fails', retry_at: null, restarts };
  if (policy === 'never' || (isWell && policy === 'on_failure')) return { next: 'rests' };
  const { limit, reset_after } = spec.restart;
  const recent = restarts.recent.filter((at) => at > now - milliseconds(limit.within) && at <= now);
  if (limit.count !== 'unlimited' && recent.length >= limit.count) {
    const retry_at = limit.retry_after === null ? null : now + milliseconds(limit.retry_after);
    return { next: 'fails', retry_at, restarts: { ...restarts, streak: 0, recent: [] } };
  }
  const wasLongUp = ended.uptime !== null && ended.uptime >= milliseconds(reset_after);
  const streak = wasLongUp ? 0 : restarts.streak;
  const retry_at = now + waitBefore(spec.restart.backoff, streak, ended.random);
  return {
    next: 'restarts',
    retry_at,
    restarts: { count: restarts.count + 1, streak: streak + 1, recent: [...recent, now].slice(-1_000) },
  };
}

/** Whether a wait is over. One that ends later than any wait lasts is, too: the clock has been set back. */
export function isOver(retry_at: number, { backoff, limit }: Spec['restart'], now: number): boolean {
  const longest = Math.max(milliseconds(backoff.max), leastLongestWait) * (1 + backoff.jitter);
  const retryAfter = limit.retry_after === null ? 0 : milliseconds(limit.retry_after);
  return retry_at <= now || retry_at > now + Math.max(longest, retryAfter) + 1;
}

/** How long to wait before a restart that follows `streak` others, in milliseconds. */
export function waitBefore(
  { initial, max, factor, jitter }: Spec['restart']['backoff'],
  streak: number,
  random: number,
): number {
  const least = streak === 0 ? 0 : Math.min(leastWait * 2 ** (streak - 1), leastLongestWait);
  const first = milliseconds(initial);
  const grown = first === 0 ? 0 : Math.min(first * factor ** streak, Math.max(milliseconds(max), least));
  return Math.round(Math.max(grown * (1 + jitter * (2 * random - 1)), least));
}
