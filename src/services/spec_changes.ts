import { isDeepStrictEqual } from 'node:util';
import { hiddenValue, type Spec } from '../contract/spec.ts';

/** One field that differs between two specs; its values may be shown to anyone. */
export interface SpecChange {
  /** Such as `stop.timeout` or `env.DEBUG`. */
  readonly field: string;
  /** null where there is none. */
  readonly from: unknown;
  readonly to: unknown;
}

/** What stands for a value of `env` that is another one now. */
const changedValue = `${hiddenValue} (changed)`;

/** Fields that a running process cannot notice: the agent alone acts by them, and does so at once or at the next start. */
const unnoticed: ReadonlySet<string> = new Set([
  'instances',
  'min_uptime',
  'ready_log',
  'restart',
  'success_exit_codes',
  'schedule',
  'depends_on',
  'on_dependency_failure',
  'stop',
  'configs',
  'logs',
  'rollout',
  'tags',
  'routes',
  'routing',
  'sealed',
] satisfies (keyof Spec)[]);

/** Whether what runs as `before` says must be started anew to be as `after` says. */
export function needsRestart(before: Spec, after: Spec): boolean {
  return Object.keys(after).some(
    (name) =>
      !unnoticed.has(name) && !isDeepStrictEqual(before[name as keyof Spec], after[name as keyof Spec]),
  );
}

/** What differs, field by field, in the order of the fields. Values of `env` are hidden. */
export function specChanges(before: Spec, after: Spec): SpecChange[] {
  return Object.keys(after).flatMap((name) => {
    const [from, to] = [before[name as keyof Spec], after[name as keyof Spec]];
    return changesOf([name], from, to).map(({ path, ...values }) => ({
      field: path.join('.'),
      ...(name === 'env' ? hidden(values) : values),
    }));
  });
}

interface Difference {
  readonly path: readonly string[];
  readonly from: unknown;
  readonly to: unknown;
}

function changesOf(path: readonly string[], from: unknown, to: unknown): Difference[] {
  if (isDeepStrictEqual(from, to)) return [];
  if (!isObject(from) || !isObject(to)) return [{ path, from: from ?? null, to: to ?? null }];
  const names = new Set([...Object.keys(from), ...Object.keys(to)]);
  return [...names].flatMap((name) => changesOf([...path, name], from[name], to[name]));
}

function hidden({ from, to }: Omit<Difference, 'path'>): Omit<Difference, 'path'> {
  if (from === null) return { from, to: hiddenValue };
  return { from: hiddenValue, to: to === null ? null : changedValue };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
