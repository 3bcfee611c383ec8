import { createHmac } from 'node:crypto';
import { canonicalJson } from './canonical.ts';
import type { Declaration } from './draft.ts';
import type { PlannedWork } from './plan.ts';
import type { World } from './world.ts';

/** What a plan was made from, so that another one can be compared with it. */
export interface PlanBasis {
  readonly id: string;
  /** By service: what is declared of it, as a keyed hash, and what there was of it. */
  readonly services: ReadonlyMap<string, ServiceBasis>;
}

interface ServiceBasis {
  readonly declared: string;
  readonly action: string;
  readonly known: Readonly<Record<string, unknown>>;
}

/**
 * What a plan stands on: what is declared, what there is, and what would be done. What passes by itself, such as how
 * many connections there are or whether an instance has just ended, is not part of it.
 * @param key keyed, so that nobody who sees the id can try out values of `env`
 */
export function basisOf(declared: Declaration, world: World, work: PlannedWork, key: string): PlanBasis {
  const hash = (value: unknown) =>
    createHmac('sha256', key).update(canonicalJson(value)).digest('hex').slice(0, 32);
  const services = new Map(
    work.actions.map(({ service, action }) => {
      const {
        current_release = null,
        wanted = null,
        scale = null,
        declared_in = null,
      } = world.get(service) ?? {};
      const spec = declared.services.get(service) ?? null;
      return [
        service,
        { declared: hash(spec), action, known: { release: current_release, wanted, scale, declared_in } },
      ] as const;
    }),
  );
  return { id: hash([declared.name, [...services]]), services };
}

const factNames: Readonly<Record<string, string>> = {
  release: 'release',
  wanted: 'wanted',
  scale: 'scaled to',
  declared_in: 'declaration',
};

/** What is no longer as it was when an earlier plan was made, in words. */
export function whatMoved(before: PlanBasis, after: PlanBasis): string[] {
  const names = new Set([...before.services.keys(), ...after.services.keys()]);
  return [...names].flatMap((name) => {
    const [was, is] = [before.services.get(name), after.services.get(name)];
    if (was === undefined) return `${name} is new in it`;
    if (is === undefined) return `${name} is no longer in it`;
    const moved = Object.keys(was.known)
      .filter((fact) => was.known[fact] !== is.known[fact])
      .map((fact) => `${factNames[fact]} ${shown(was.known[fact])} → ${shown(is.known[fact])}`);
    if (moved.length > 0) return `${name}: ${moved.join(', ')}`;
    if (was.declared !== is.declared) return `${name} is declared otherwise`;
    return was.action === is.action ? [] : `${name}: ${was.action} → ${is.action}`;
  });
}

function shown(value: unknown): string {
  return value === null ? 'none' : String(value);
}
