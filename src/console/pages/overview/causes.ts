import { onScopeDispose, type Ref, shallowRef, watch } from 'vue';
import type { LogPage } from '../../../contract/logs.ts';
import type { Why } from '../../../contract/why.ts';
import { api } from '../../api/client.ts';
import type { Problem } from './problems.ts';

/** Why a service is as it is, and what the process concerned wrote last. */
export interface Cause {
  /** null: the release that is concerned never ran. */
  readonly why: Why | null;
  /** Oldest first. */
  readonly lines: readonly string[];
}

/** How many lines are looked through for one that tells what was wrong. */
const lineCount = 30;
/** Of how many problems the cause is asked for, and how long changes are gathered first, in milliseconds. */
const most = 10;
const patience = 300;

/** Why the services of the first problems are as they are; asked for again when one of them has changed. */
export function useCauses(problems: Ref<readonly Problem[]>) {
  const causes = shallowRef<ReadonlyMap<string, Cause>>(new Map());
  const asked = new Map<string, string>();
  const end = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function load(): Promise<void> {
    for (const problem of problems.value.slice(0, most)) {
      const { service, kind, release, alerts } = problem;
      if (service === null || end.signal.aborted) continue;
      const { id, status } = service;
      const told = alerts.map((one) => one.id);
      const situation = [kind, release, status.status, status.message, status.release, ...told].join();
      if (asked.get(id) === situation) continue;
      asked.set(id, situation);
      const cause = await causeFor(problem, id, end.signal).catch(() => null);
      if (cause === null) asked.delete(id);
      else causes.value = new Map([...causes.value, [id, cause]]);
    }
  }

  watch(
    problems,
    () => {
      clearTimeout(timer);
      timer = setTimeout(() => void load(), patience);
    },
    { immediate: true },
  );
  onScopeDispose(() => {
    clearTimeout(timer);
    end.abort();
  });
  return causes;
}

async function causeFor({ kind, release }: Problem, id: string, signal: AbortSignal): Promise<Cause> {
  const path = `/services/${encodeURIComponent(id)}`;
  if (kind === 'deployment_failed' && release !== null) {
    const query = { release, lines: lineCount };
    const { lines } = await api.get<LogPage>(`${path}/logs`, { query, signal });
    return { why: null, lines: lines.map(({ line }) => line) };
  }
  const why = await api.get<Why>(`${path}/why`, { query: { lines: lineCount, limit: 20 }, signal });
  return { why, lines: (why.last_lines ?? []).map(({ line }) => line) };
}
