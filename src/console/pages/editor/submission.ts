import { computed, onScopeDispose, ref, shallowRef } from 'vue';
import { useI18n } from 'vue-i18n';
import type { Plan, PlanStep } from '../../../contract/declaration.ts';
import type { Deployment } from '../../../contract/deployments.ts';
import type { OperationResult, Service } from '../../../contract/services.ts';
import { api } from '../../api/client.ts';
import { ApiFailure, failureOf } from '../../api/failure.ts';
import { useAction } from '../../composables/action.ts';
import { useLive } from '../../stores/live.ts';
import { declaredFields, patchBetween } from './declared_fields.ts';
import { callFor, planSource } from './plan_call.ts';
import type { ServiceEditor } from './service_editor.ts';

/** What was planned, and the service as it is then. */
interface Planned {
  readonly plan: string;
  readonly step: PlanStep;
  readonly service: Service | null;
}

/** From what is written to what runs: a plan first, and what it says only when that is wanted. */
export function useSubmission(editor: ServiceEditor) {
  const { t } = useI18n();
  const action = useAction();
  const state = ref<'idle' | 'planning' | 'planned' | 'deploying' | 'failed'>('idle');
  const planned = shallowRef<Planned | null>(null);
  const failure = shallowRef<ApiFailure | null>(null);
  /** Whether something had changed since the plan that was shown before. */
  const isOutdated = ref(false);
  const deployment = shallowRef<Deployment | null>(null);
  /** Services that this form has brought into being: they may be deployed again from here. */
  const own = new Set<string>();
  let isHere = true;

  const stop = useLive().on('deployment', (message) => {
    if (state.value === 'deploying' && message.service === editor.id.value)
      deployment.value = message.deployment;
  });
  onScopeDispose(() => {
    isHere = false;
    stop();
  });

  async function makePlan(): Promise<Planned> {
    const id = editor.id.value;
    const source = planSource(id, editor.value.value);
    const { id: plan, actions } = await api.post<Plan>('/plan', { body: { source, file: id } });
    const step = actions.find(({ service }) => service === id);
    if (step === undefined) throw new Error('the plan says nothing of the service');
    if (step.action !== 'create' && editor.isNew && !own.has(id)) throw exists(id);
    const service = step.action === 'create' ? null : await api.get<Service>(`/services/${id}`);
    return { plan, step, service };
  }

  function exists(id: string): ApiFailure {
    const message = t('editor.exists', { id });
    return new ApiFailure(409, {
      error: message,
      code: 'service_exists',
      details: [{ path: 'id', message }],
    });
  }

  /** Shows what would be done. false: it cannot be, and why is told. */
  async function review(): Promise<boolean> {
    state.value = 'planning';
    failure.value = null;
    isOutdated.value = false;
    try {
      planned.value = await makePlan();
      state.value = 'planned';
      return true;
    } catch (error) {
      refuse(failureOf(error));
      state.value = 'idle';
      return false;
    }
  }

  function refuse(refused: ApiFailure): void {
    failure.value = refused;
    editor.tell(refused.details);
  }

  /** Does what was shown, and only that. Resolves with whether it was done. */
  async function deploy(): Promise<boolean> {
    const shown = planned.value;
    if (shown === null || state.value === 'deploying') return false;
    state.value = 'deploying';
    deployment.value = null;
    failure.value = null;
    try {
      const now = await makePlan();
      if (now.plan !== shown.plan) {
        planned.value = now;
        isOutdated.value = true;
        state.value = 'planned';
        return false;
      }
      await carryOut(now);
      state.value = 'idle';
      return true;
    } catch (error) {
      const failed = failureOf(error);
      if (!isHere) action.fail(failed);
      refuse(failed);
      state.value = 'failed';
      return false;
    }
  }

  async function carryOut({ step, service }: Planned): Promise<void> {
    const current = service === null ? {} : declaredFields(editor.schema, service);
    const call = callFor(step, patchBetween(editor.schema, current, editor.value.value), service);
    if (call === null) return;
    own.add(step.service);
    const { message } = await api[call.method]<OperationResult>(call.path, {
      body: call.body,
      timeout_ms: null,
    });
    action.succeed(`${step.service}: ${message}`);
  }

  function close(): void {
    if (state.value !== 'deploying') state.value = 'idle';
  }

  return {
    state,
    planned,
    failure,
    isOutdated,
    deployment,
    isNothing: computed(() => ['none', 'adopt'].includes(planned.value?.step.action ?? 'none')),
    review,
    deploy,
    close,
  };
}
