import type { AppliedStep, PlanStep } from '../contract/declaration.ts';
import type { OperationResult } from '../contract/services.ts';
import type { Spec } from '../contract/spec.ts';
import type { Declaration } from './draft.ts';

/** What carries out the steps of a plan: the agent's own operations. */
export interface Executor {
  declare(
    id: string,
    spec: Spec,
    options: { readonly declared_in: string; readonly restart: boolean },
    actor: string,
  ): Promise<OperationResult>;
  start(id: string, actor: string): Promise<OperationResult>;
  delete(id: string, actor: string): Promise<OperationResult>;
  /** Notes which declaration a service is of. */
  adopt(id: string, name: string): Promise<void>;
}

/** How a step went, and what it threw. */
export interface StepOutcome extends AppliedStep {
  readonly cause?: unknown;
}

/**
 * Does what the steps of a plan say: each once those that it depends on have ended well, everything independent side by
 * side. What depends on a failed one is skipped. Deletions come last, one after another, and only when all went well.
 */
export async function carryOut(
  declared: Declaration,
  steps: readonly PlanStep[],
  executor: Executor,
  actor: string,
): Promise<StepOutcome[]> {
  const ended = new Map<string, Promise<StepOutcome>>();
  for (const step of steps.filter(({ action }) => action !== 'delete')) {
    // Those that it depends on stand before it in the plan.
    const needed = Object.keys(declared.services.get(step.service)?.depends_on ?? {});
    const earlier = Promise.all(needed.flatMap((id) => ended.get(id) ?? []));
    ended.set(step.service, runAfter(earlier, step, declared, executor, actor));
  }
  const outcomes = await Promise.all(ended.values());
  for (const step of steps.filter(({ action }) => action === 'delete')) {
    const failed = outcomes.find(({ outcome }) => outcome === 'failed');
    outcomes.push(
      failed === undefined
        ? await run(step, declared, executor, actor)
        : skipped(step, `${failed.service} failed, so nothing is deleted`),
    );
  }
  return outcomes;
}

async function runAfter(
  earlier: Promise<readonly StepOutcome[]>,
  step: PlanStep,
  declared: Declaration,
  executor: Executor,
  actor: string,
): Promise<StepOutcome> {
  const hindrance = (await earlier).find(({ outcome }) => outcome === 'failed' || outcome === 'skipped');
  if (hindrance === undefined || step.action === 'none') return run(step, declared, executor, actor);
  return skipped(step, `${hindrance.service} ${hindrance.outcome === 'failed' ? 'failed' : 'was skipped'}`);
}

function skipped({ service, action }: PlanStep, why: string): StepOutcome {
  return { service, action, outcome: 'skipped', message: `skipped: ${why}` };
}

async function run(
  step: PlanStep,
  declared: Declaration,
  executor: Executor,
  actor: string,
): Promise<StepOutcome> {
  const { service, action } = step;
  try {
    const result = await act(step, declared, executor, actor);
    if (result === null) return { service, action, outcome: 'unchanged', message: step.reason };
    return { service, action, outcome: 'done', message: result.message, result };
  } catch (cause) {
    return { service, action, outcome: 'failed', message: '', cause };
  }
}

async function act(
  { service, action, cost }: PlanStep,
  { name, services }: Declaration,
  executor: Executor,
  actor: string,
): Promise<OperationResult | null> {
  const spec = services.get(service);
  if (action === 'delete') return executor.delete(service, actor);
  // It is no longer declared, and stays.
  if (spec === undefined) return null;
  switch (action) {
    case 'create':
    case 'deploy':
    case 'scale': {
      const restart = action === 'create' || cost.restarts.length > 0;
      return executor.declare(service, spec, { declared_in: name, restart }, actor);
    }
    case 'start': {
      const result = await executor.start(service, actor);
      await executor.adopt(service, name);
      return result;
    }
    default:
      await executor.adopt(service, name);
      return null;
  }
}
