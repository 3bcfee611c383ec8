import { type InjectionKey, inject, provide, type Ref, ref, type ShallowRef, shallowRef } from 'vue';
import { useI18n } from 'vue-i18n';
import type { OperationResult, Service } from '../../contract/services.ts';
import { api } from '../api/client.ts';
import { type ApiFailure, failureOf } from '../api/failure.ts';
import { useSession } from '../stores/session.ts';
import { useAction } from './action.ts';
import { useCosts } from './service_costs.ts';
import { isOwn } from './service_state.ts';

/** What the agent does with a service. */
export type Operation =
  | 'deploy'
  | 'start'
  | 'stop'
  | 'restart'
  | 'pause'
  | 'resume'
  | 'scale'
  | 'signal'
  | 'rollback'
  | 'delete';

/** What is done with a service at the press of a button, after a question where that costs something. */
export type SimpleAction = 'start' | 'stop' | 'restart' | 'pause' | 'resume' | 'delete';
/** What else has a place of its own. */
export type ServiceAction = SimpleAction | 'scale' | 'signal' | 'edit';

/** The page of a service tells itself what is being done and how it failed; elsewhere messages do. */
interface ServicePage {
  /** What is being done; null: nothing. */
  readonly doing: Ref<string | null>;
  /** How the last thing that was tried failed. It stays until it is closed or something else is done. */
  readonly failure: ShallowRef<ApiFailure | null>;
  /** Does it and says what came of it. null: it failed, which the page shows. */
  run<T extends { readonly message: string }>(doing: string, act: () => Promise<T>): Promise<T | null>;
}

const key: InjectionKey<ServicePage> = Symbol('service page');

/** Has everything on a page of one service tell there what is done with it. */
export function provideServiceActions(): ServicePage {
  const { succeed } = useAction();
  const doing = ref<string | null>(null);
  const failure = shallowRef<ApiFailure | null>(null);
  const run: ServicePage['run'] = async (name, act) => {
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
  const page = { doing, failure, run };
  provide(key, page);
  return page;
}

/** What can be done with services, and doing it. */
export function useServiceActions() {
  const { t } = useI18n();
  const session = useSession();
  const action = useAction();
  const costs = useCosts();
  const page = inject(key, null);
  const doing = page?.doing ?? ref<string | null>(null);
  const failure = page?.failure ?? shallowRef<ApiFailure | null>(null);
  const run: ServicePage['run'] = page?.run ?? ((_doing, act) => action.run(act, ({ message }) => message));

  function operate(id: string, operation: Operation, body: unknown = {}): Promise<OperationResult | null> {
    const path = `/services/${encodeURIComponent(id)}`;
    return run(t(`service.doing_${operation}`), async () => {
      // A deploy takes as long as its new instances need, and a comparison after that.
      const answer =
        operation === 'delete'
          ? await api.delete<OperationResult>(path, { timeout_ms: null })
          : await api.post<OperationResult>(`${path}/${operation}`, { body, timeout_ms: null });
      return page === null ? { ...answer, message: `${id}: ${answer.message}` } : answer;
    });
  }

  /** What makes sense in its state, of what this one may do. */
  function actionsOf(service: Service): ServiceAction[] {
    const { id, spec, status } = service;
    const isTask = spec.type === 'task';
    const isUp = status.instances.running > 0;
    const isWanted = status.wanted === 'running' || isUp;
    const operate = session.can('operate', id);
    const change = session.can('deploy', id) && !isOwn(id);
    const all: [ServiceAction, boolean][] = [
      ['start', operate && (!isWanted || (isTask && !isUp))],
      ['restart', operate && (isUp || (!isTask && isWanted))],
      ['stop', operate && isWanted && !isOwn(id)],
      [status.status === 'paused' ? 'resume' : 'pause', operate && isUp],
      ['scale', operate && !isOwn(id) && !(isTask && spec.schedule !== null)],
      ['signal', operate && isUp],
      ['edit', change],
      ['delete', change],
    ];
    return all.flatMap(([one, isPossible]) => (isPossible ? one : []));
  }

  /** Asks first where it costs something. null: it was not wanted, or failed. */
  async function act(name: SimpleAction, service: Service): Promise<OperationResult | null> {
    const { id } = service;
    if (name === 'start' || name === 'resume') return operate(id, name);
    const question = {
      title: t(`service.ask_${name}`, { id }),
      text: costs.of(name, service),
      action: t(`service.${name}`),
      ...(name === 'delete' && { typed: id }),
    };
    return (await action.ask(question)) ? operate(id, name) : null;
  }

  return { doing, failure, run, operate, actionsOf, act };
}
