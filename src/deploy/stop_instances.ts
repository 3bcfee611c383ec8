import type { StopReport } from '../contract/processes.ts';
import { milliseconds } from '../lib/units.ts';
import type { Registry } from '../services/registry.ts';
import { runningInstances } from '../services/service.ts';
import type { Supervisor } from '../supervision/supervisor.ts';
import type { Retirement } from './retirement.ts';

/** Who wants instances stopped, and why. */
interface StopCause {
  readonly actor: string | null;
  readonly cause: number | null;
}

export interface StopParts {
  readonly registry: Registry;
  readonly supervisor: Supervisor;
  readonly retirement: Retirement;
}

/** Which instances are meant. */
type IsMeant = (instance_id: string, number: number) => boolean;

/** Lets requests be finished for as long as a stop may take, and stops every instance. */
export function stopService(parts: StopParts, id: string, order: StopCause): Promise<StopReport | null> {
  const { rollout, stop } = parts.registry.spec(id);
  const timeout = Math.min(milliseconds(rollout.drain_timeout), milliseconds(stop.timeout));
  return stopDrained(parts, id, { ...order, timeout }, () => true);
}

/** Lets the instances that are meant finish their requests, for `timeout` milliseconds at most, and stops them. */
export async function stopDrained(
  parts: StopParts,
  id: string,
  { timeout, ...order }: StopCause & { readonly timeout: number },
  isMeant: IsMeant,
  reason: 'stopped' | 'agent_stopped' = 'stopped',
): Promise<StopReport | null> {
  const numbers = meantInstances(parts.registry, id, isMeant).map(({ number }) => number);
  if (timeout > 0) await parts.retirement.drain(id, numbers, timeout, order);
  return stopWhere(parts, id, order, isMeant, reason);
}

/** Stops the instances that are meant, all at once, and says what that took; null when there were none. */
export async function stopWhere(
  { registry, supervisor }: Pick<StopParts, 'registry' | 'supervisor'>,
  id: string,
  { actor, cause }: StopCause,
  isMeant: IsMeant,
  reason: 'stopped' | 'agent_stopped' = 'stopped',
): Promise<StopReport | null> {
  const stops = meantInstances(registry, id, isMeant).map(({ number }) => {
    const { stop } = registry.specOf(id, number);
    return supervisor.stop(id, number, stop, { reason, actor, cause });
  });
  return summary(await Promise.all(stops));
}

function meantInstances(registry: Registry, id: string, isMeant: IsMeant) {
  return runningInstances(registry.get(id)).filter(({ process, number }) =>
    isMeant(process?.instance_id ?? '', number),
  );
}

/** What several stops at the same time took together. */
function summary(reports: readonly StopReport[]): StopReport | null {
  const [first] = reports;
  if (first === undefined || reports.length === 1) return first ?? null;
  const ways = reports.map(({ ended_by }) => ended_by);
  return {
    signal: first.signal,
    ended_by: ways.find((way) => way === 'kill') ?? ways.find((way) => way === 'signal') ?? 'already_gone',
    swept: reports.flatMap(({ swept }) => swept),
    survivors: reports.flatMap(({ survivors }) => survivors),
    complete: reports.every(({ complete }) => complete === 'guaranteed') ? 'guaranteed' : 'best_effort',
    duration_ms: Math.max(...reports.map(({ duration_ms }) => duration_ms)),
  };
}
