import type { AppliedStep, Plan } from '../contract/declaration.ts';
import type { OperationResult } from '../contract/services.ts';
import type { Spec } from '../contract/spec.ts';
import { DavitError } from '../lib/errors.ts';
import { KeyedLock } from '../lib/keyed_lock.ts';
import type { Registry } from '../services/registry.ts';
import { type Authority, noAuthority, requireUnsealed } from '../services/seal.ts';
import { carryOut, type Executor, type StepOutcome } from './apply.ts';
import type { ConnectionCount } from './connections.ts';
import type { Declaration, Draft } from './draft.ts';
import { makePlan, noLongerDeclared } from './plan.ts';
import { basisOf, type PlanBasis, whatMoved } from './plan_id.ts';
import { readWorld, type World } from './world.ts';

interface DeclarationsOptions {
  readonly registry: Registry;
  readonly operations: DeclarationOperations;
  /** By which ids of plans are made; the same for as long as they are to be known. */
  readonly planKey: string;
  readonly readConnections: () => ConnectionCount | null;
}

/** The agent's own operations. */
interface DeclarationOperations {
  declare(id: string, spec: Spec, options: DeclareOptions, actor: string): Promise<OperationResult>;
  start(id: string, actor: string): Promise<OperationResult>;
  delete(id: string, actor: string, authority?: Authority): Promise<OperationResult>;
}

interface DeclareOptions {
  readonly declared_in: string;
  readonly restart: boolean;
  readonly authority?: Authority;
}

/** Who asks, and what for. */
export interface Request {
  readonly prune: boolean;
  /** Throws where a service may not be changed by who asks. */
  readonly authorize: (id: string) => void;
  /** Whether a service may be named to who asks. */
  readonly mayName: (id: string) => boolean;
  /** Whether who asks decides what a service executes. Default: not. */
  readonly authorityOf?: (id: string) => Authority;
}

export interface ApplyRequest extends Request {
  /** The plan that is to be carried out, and no other; null: whatever it is. */
  readonly plan: string | null;
  readonly actor: string;
}

/** A plan with what it was made from. */
interface Planned {
  readonly plan: Plan;
  readonly declared: Declaration;
  readonly world: World;
}

/** How a plan was carried out. */
export interface Carried {
  readonly plan: Plan;
  readonly outcomes: readonly StepOutcome[];
}

/** How many plans are remembered, to tell what moved since. */
const rememberedPlans = 200;

/** Makes plans of what is declared, and carries them out. */
export class Declarations {
  readonly #options: DeclarationsOptions;
  /** Of one name, one after another. */
  readonly #lock = new KeyedLock();
  readonly #bases = new Map<string, PlanBasis>();

  constructor(options: DeclarationsOptions) {
    this.#options = options;
  }

  /** What would be done. Throws `invalid_request` with everything that is wrong with the file. */
  plan(draft: Draft, request: Request): Plan {
    return this.#plan(draft, request).plan;
  }

  /**
   * Carries out what `plan` says now. Throws `plan_outdated` where that is another plan than the one asked for, with
   * nothing done. What becomes of each service is in the outcome.
   */
  apply(draft: Draft, request: ApplyRequest): Promise<Carried> {
    return this.#lock.run(draft.name, async () => {
      const { plan, declared, world } = this.#plan(draft, request);
      if (request.plan !== null && request.plan !== plan.id) throw this.#outdated(request.plan, plan);
      const { authorityOf = () => noAuthority } = request;
      for (const { service: id } of plan.actions) {
        const change = { id, current: world.get(id)?.spec ?? null, authority: authorityOf(id) };
        requireUnsealed(change, 'declare it');
      }
      const executor = this.#executor(request.plan === null ? null : world, authorityOf);
      const outcomes = await carryOut(declared, plan.actions, executor, request.actor);
      await this.#keepNew(outcomes, declared.name);
      return { plan, outcomes };
    });
  }

  #plan(draft: Draft, { prune, authorize, mayName }: Request): Planned {
    const { registry, planKey, readConnections } = this.#options;
    for (const id of draft.ids) authorize(id);
    const world = readWorld(registry);
    const deleted = prune ? noLongerDeclaredIds(draft, world) : new Set<string>();
    for (const id of deleted) authorize(id);
    const own = new Set(draft.ids);
    const others = [...world.values()].filter(({ id }) => !own.has(id) && !deleted.has(id));
    const declared = draft.resolve({
      specOf: (id) => world.get(id)?.spec ?? null,
      others: new Map(others.map(({ id, spec }) => [id, spec])),
      mayName,
    });
    refuseNeededDeletions(deleted, others);
    // What is left of the declaration and stays is told only to who may know of it.
    const visible = [...world].filter(([id]) => own.has(id) || deleted.has(id) || mayName(id));
    const work = makePlan(declared, new Map(visible), { prune, connections: readConnections() });
    const basis = basisOf(declared, world, work, planKey);
    this.#remember(basis);
    return { plan: { id: basis.id, ...work, actions: [...work.actions] }, declared, world };
  }

  /** @param planned what there was when the plan was made, and must still be when it is carried out; null: whatever */
  #executor(planned: World | null, authorityOf: (id: string) => Authority): Executor {
    const { operations, registry } = this.#options;
    // A step may have waited for long until what it depends on was there.
    const requireStill = (id: string) => {
      const [was, is] = [
        planned?.get(id)?.current_release ?? null,
        registry.find(id)?.current_release ?? null,
      ];
      if (planned === null || was === is) return;
      const moved = `release ${was ?? 'none'} → ${is ?? 'none'}`;
      throw new DavitError('plan_outdated', `"${id}" has changed since the plan: ${moved}`);
    };
    return {
      declare: async (id, spec, options, actor) => {
        requireStill(id);
        return operations.declare(id, spec, { ...options, authority: authorityOf(id) }, actor);
      },
      start: async (id, ...given) => {
        requireStill(id);
        return operations.start(id, ...given);
      },
      delete: async (id, actor) => {
        requireStill(id);
        return operations.delete(id, actor, authorityOf(id));
      },
      adopt: (id, name) => this.#adopt(id, name),
    };
  }

  #adopt(id: string, name: string): Promise<void> {
    const { registry } = this.#options;
    return registry.lock.run(id, async () => {
      if (registry.find(id)?.declared_in !== name) registry.commit(id, { declared_in: name });
    });
  }

  /** A service whose first start failed is of the declaration all the same. */
  async #keepNew(outcomes: readonly StepOutcome[], name: string): Promise<void> {
    const { registry } = this.#options;
    for (const { service, action, outcome } of outcomes) {
      if (outcome === 'failed' && action === 'create' && registry.find(service)?.declared_in === null)
        await this.#adopt(service, name);
    }
  }

  #remember(basis: PlanBasis): void {
    this.#bases.delete(basis.id);
    this.#bases.set(basis.id, basis);
    const [oldest] = this.#bases.keys();
    if (this.#bases.size > rememberedPlans && oldest !== undefined) this.#bases.delete(oldest);
  }

  #outdated(asked: string, plan: Plan): DavitError {
    const [before, after] = [this.#bases.get(asked), this.#bases.get(plan.id)];
    const moved = before && after ? whatMoved(before, after) : [];
    const what = moved.length > 0 ? `: ${moved.join('; ')}` : '';
    const message = `the plan is no longer what would be done${what}; make a new one`;
    return new DavitError('plan_outdated', message, { fields: { plan: plan.id, moved } });
  }
}

/** In one sentence, how a plan was carried out. */
export function outcomeSummary(outcomes: readonly Pick<AppliedStep, 'outcome'>[]): string {
  const words = { done: 'done', failed: 'failed', skipped: 'skipped', unchanged: 'unchanged' } as const;
  const counts = Object.entries(words).flatMap(([outcome, word]) => {
    const count = outcomes.filter((each) => each.outcome === outcome).length;
    return count === 0 ? [] : [`${count} ${word}`];
  });
  return counts.join(', ') || 'nothing to do';
}

function noLongerDeclaredIds(draft: Draft, world: World): Set<string> {
  const services = new Map(draft.ids.map((id) => [id, {} as never]));
  return new Set(noLongerDeclared({ name: draft.name, services }, world).map(({ id }) => id));
}

/** What stays must not wait for ever for what is deleted. */
function refuseNeededDeletions(
  deleted: ReadonlySet<string>,
  others: readonly { readonly id: string; readonly spec: { readonly depends_on: object } }[],
): void {
  const needs = others.flatMap(({ id, spec }) =>
    Object.keys(spec.depends_on)
      .filter((name) => deleted.has(name))
      .map((name) => `"${name}" cannot be deleted: "${id}" depends on it and stays`),
  );
  if (needs.length > 0) throw new DavitError('state_conflict', needs.join('; '));
}
