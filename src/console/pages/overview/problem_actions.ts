import { useI18n } from 'vue-i18n';
import { useRouter } from 'vue-router';
import type { Silence } from '../../../contract/alerts.ts';
import type { OperationResult } from '../../../contract/services.ts';
import type { Why } from '../../../contract/why.ts';
import { api } from '../../api/client.ts';
import { useAction } from '../../composables/action.ts';
import { useFormat } from '../../composables/format.ts';
import { useServiceActions } from '../../composables/service_actions.ts';
import { isOwn } from '../../composables/service_state.ts';
import { useSession } from '../../stores/session.ts';
import type { Problem } from './problems.ts';

export type Remedy = 'start' | 'restart' | 'rollback' | 'edit' | 'logs' | 'silence' | 'alerts';

/** What helps against a problem, and doing it. */
export function useRemedies() {
  const { t } = useI18n();
  const format = useFormat();
  const router = useRouter();
  const session = useSession();
  const services = useServiceActions();
  const { ask, run } = useAction();

  /** What this one may do about it, the most helpful first. */
  function remediesOf({ service, kind, alerts }: Problem, why: Why | null): Remedy[] {
    const canSilence = alerts.length > 0 && session.can('operate', service?.id ?? null);
    const told: Remedy[] = canSilence ? ['silence'] : [];
    if (service === null) return ['alerts', ...told];
    const { id, status } = service;
    const operate = session.can('operate', id);
    const change = session.can('deploy', id) && !isOwn(id);
    const back: Remedy[] = change && status.release > 1 ? ['rollback'] : [];
    const edit: Remedy[] = change ? ['edit'] : [];
    if (kind === 'alert') return ['logs', ...told, 'alerts'];
    // What was running until now needs no other release.
    if (kind === 'deployment_failed') return ['logs', ...edit, ...told];
    const again: Remedy[] = operate ? [kind === 'failed' ? 'start' : 'restart'] : [];
    const isNew = why?.chain.some(({ event }) => event.type.startsWith('deployment.')) ?? false;
    return [...(isNew ? [...back, ...again] : [...again, ...back]), 'logs', ...told, ...edit];
  }

  async function apply(remedy: Remedy, { service, alerts }: Problem): Promise<void> {
    if (remedy === 'alerts') return void router.push({ name: 'alerts' });
    if (remedy === 'silence') return silence(alerts);
    if (service === null) return;
    if (remedy === 'rollback') return rollBack(service.id, service.status.release);
    const { id } = service;
    if (remedy === 'logs') await router.push({ name: 'service', params: { id, tab: 'logs' } });
    else if (remedy === 'edit') await router.push({ name: 'edit-service', params: { id } });
    else await services.act(remedy, service);
  }

  async function rollBack(id: string, release: number): Promise<void> {
    const question = {
      title: t('overview.rollback_title', { id }),
      text: t('overview.rollback_text', { release }),
      action: t('overview.rollback'),
    };
    if (!(await ask(question))) return;
    const path = `/services/${encodeURIComponent(id)}/rollback`;
    const act = () => api.post<OperationResult>(path, { body: {}, timeout_ms: null });
    await run(act, ({ message }) => `${id}: ${message}`);
  }

  /** Every alert of the problem, for an hour. */
  async function silence(alerts: Problem['alerts']): Promise<void> {
    const rules = new Map(alerts.map(({ rule, service }) => [rule, service]));
    const act = () =>
      Promise.all(
        [...rules].map(([rule, service]) =>
          api.post<Silence>('/silences', { body: { rule, service, duration: '1h' } }),
        ),
      );
    const until = ([first]: Silence[]) => format.exact(first?.ends_at ?? Date.now());
    await run(act, (made) => t('overview.silenced', { until: until(made) }));
  }

  return { remediesOf, apply };
}
