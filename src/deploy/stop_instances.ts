import type { StopReport } from '../contract/answers.ts';
import type { Registry } from '../services/registry.ts';
import { runningInstances } from '../services/service.ts';
import type { Supervisor } from '../supervision/supervisor.ts';

/** Stops the instances that are meant, all at once, and says what that took; null when there were none. */
export async function stopWhere(
  { registry, supervisor }: { readonly registry: Registry; readonly supervisor: Supervisor },
  id: string,
  { actor, cause }: { readonly actor: string | null; readonly cause: number | null },
  isMeant: (instance_id: string, number: number) => boolean,
  reason: 'stopped' | 'agent_stopped' = 'stopped',
): Promise<StopReport | null> {
  const meant = runningInstances(registry.get(id)).filter(({ process, number }) =>
    isMeant(process?.instance_id ?? '', number),
  );
  const stops = meant.map(({ number }) => {
    const { stop } = registry.specOf(id, number);
    return supervisor.stop(id, number, stop, { reason, actor, cause });
  });
  return summary(await Promise.all(stops));
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
