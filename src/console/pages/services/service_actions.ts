import { useI18n } from 'vue-i18n';
import { useRouter } from 'vue-router';
import type { OperationResult, Service } from '../../../contract/services.ts';
import { api } from '../../api/client.ts';
import { useAction } from '../../composables/action.ts';
import { useSession } from '../../stores/session.ts';
import { isOwn, shownState } from './service_rows.ts';

export type ServiceAction = 'start' | 'stop' | 'restart' | 'logs' | 'edit' | 'delete';

/** What can be done with one service, and doing it. */
export function useServiceActions() {
  const { t } = useI18n();
  const router = useRouter();
  const session = useSession();
  const { ask, run } = useAction();

  /** What makes sense in its state, of what this one may do. */
  function actionsOf(service: Service): ServiceAction[] {
    const { id, status } = service;
    const isUp = status.instances.running > 0;
    const isTried = ['backoff', 'pending', 'scheduled'].includes(shownState(service));
    const operate = session.can('operate', id);
    const change = session.can('deploy', id) && !isOwn(id);
    const all: [ServiceAction, boolean][] = [
      ['start', operate && !isUp],
      ['restart', operate && (isUp || status.status === 'backoff')],
      ['stop', operate && !isOwn(id) && (isUp || isTried)],
      ['logs', true],
      ['edit', change],
      ['delete', change],
    ];
    return all.flatMap(([action, isPossible]) => (isPossible ? action : []));
  }

  async function act(action: ServiceAction, id: string): Promise<void> {
    if (action === 'logs') return void router.push({ name: 'service', params: { id, tab: 'logs' } });
    if (action === 'edit') return void router.push({ name: 'edit-service', params: { id } });
    const isWanted = action === 'start' || (await confirm(action, id));
    if (!isWanted) return;
    const path = `/services/${encodeURIComponent(id)}`;
    await run(
      () =>
        action === 'delete'
          ? api.delete<OperationResult>(path, { timeout_ms: null })
          : api.post<OperationResult>(`${path}/${action}`, { body: {}, timeout_ms: null }),
      ({ message }) => `${id}: ${message}`,
    );
  }

  function confirm(action: 'stop' | 'restart' | 'delete', id: string): Promise<boolean> {
    return ask({
      title: t(`services.${action}_one`, { id }),
      text: t(`services.${action}_text`),
      action: action === 'delete' ? t('common.delete') : t(`services.${action}`),
      ...(action === 'delete' && { typed: id }),
    });
  }

  return { actionsOf, act };
}
