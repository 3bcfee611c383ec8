import { type InjectionKey, inject, provide, type Ref, ref, type ShallowRef, shallowRef } from 'vue';
import { useI18n } from 'vue-i18n';
import type { OperationResult, Service } from '../../../contract/services.ts';
import { api } from '../../api/client.ts';
import { type ApiFailure, failureOf } from '../../api/failure.ts';
import { useAction } from '../../composables/action.ts';
import { useServices } from '../../stores/services.ts';

/** What can be done with a service besides what has a form of its own. */
export type Operation =
  | 'deploy'
  | 'start'
  | 'stop'
  | 'restart'
  | 'pause'
  | 'resume'
  | 'scale'
  | 'signal'
  | 'rollback';

interface ServiceActions {
  /** What is being done; null: nothing. */
  readonly doing: Ref<string | null>;
  /** How the last thing that was tried failed. It stays until it is closed or something else is done. */
  readonly failure: ShallowRef<ApiFailure | null>;
  /** Does it and says what came of it. null: it failed, which the page shows. */
  run<T extends { readonly message: string }>(doing: string, act: () => Promise<T>): Promise<T | null>;
  operate(operation: Operation, body?: unknown): Promise<OperationResult | null>;
}

const key: InjectionKey<ServiceActions> = Symbol('service actions');

/** What is done with the service of the page. Parts of the page have it by `useServiceActions`. */
export function provideServiceActions(id: string): ServiceActions {
  const { t } = useI18n();
  const { succeed } = useAction();
  const doing = ref<string | null>(null);
  const failure = shallowRef<ApiFailure | null>(null);

  const run: ServiceActions['run'] = async (name, act) => {
    doing.value = name;
    failure.value = null;
    try {
      const answer = await act();
      succeed(answer.message);
      return answer;
    } catch (error) {
      failure.value = failureOf(error);
      return null;
    } finally {
      doing.value = null;
    }
  };
  const operate: ServiceActions['operate'] = (operation, body = {}) =>
    run(t(`service.doing_${operation}`), () =>
      // A deploy takes as long as its new instances need, and a comparison after that.
      api.post<OperationResult>(`/services/${id}/${operation}`, { body, timeout_ms: null }),
    );
  const actions = { doing, failure, run, operate };
  provide(key, actions);
  return actions;
}

export function useServiceActions(): ServiceActions {
  const actions = inject(key);
  if (actions === undefined) throw new Error('there is no page of a service around this');
  return actions;
}

/** What it costs to touch what runs, as sentences. */
export function useCosts(service: () => Service) {
  const { t } = useI18n();
  const services = useServices();

  function connections(): string {
    const open = services.numbers.get(service().id)?.open_connections ?? 0;
    return open === 0
      ? t('service.cost_no_connections')
      : t('service.cost_connections', { count: open }, open);
  }

  /** What ends for good. */
  function ending(): string {
    const { running } = service().status.instances;
    if (running === 0) return t('service.cost_nothing_runs');
    return `${t('service.cost_end', { count: running }, running)} ${connections()}`;
  }

  /** What is replaced by something new. */
  function replacing(): string {
    const { spec, status } = service();
    const { running } = status.instances;
    if (running === 0) return t('service.cost_nothing_runs');
    const hasRoom = spec.routes.length > 0 && spec.port !== null;
    const strategy = spec.rollout.strategy ?? (hasRoom ? 'rolling' : 'recreate');
    const sentence = t(
      `service.cost_${strategy === 'recreate' ? 'recreate' : 'replace'}`,
      { count: running },
      running,
    );
    return `${sentence} ${connections()}`;
  }

  return { ending, replacing, connections };
}
