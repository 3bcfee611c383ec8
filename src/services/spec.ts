import {
  hiddenValue,
  replacedWhole,
  type ShownSpec,
  type Spec,
  type SpecPatch,
  spec,
} from '../contract/spec.ts';
import { validate } from '../lib/validation.ts';
import { checkSpec } from './spec_check.ts';

/**
 * The spec after `patch`, a JSON merge patch (RFC 7396). Throws `invalid_request` when the result is no spec,
 * such as a first deploy without a command.
 */
export function applyPatch(current: Spec | null, patch: SpecPatch): Spec {
  const patched = validate(spec, mergePatch(current ?? {}, patch), 'the service');
  checkSpec(patched);
  return patched;
}

/** The spec as it may be shown to anyone: each value of `env` hidden. */
export function hideValues(shown: Spec): ShownSpec {
  return {
    ...shown,
    env: Object.fromEntries(Object.keys(shown.env).map((name) => [name, hiddenValue] as const)),
  };
}

type JsonObject = Readonly<Record<string, unknown>>;

function mergePatch(target: unknown, patch: JsonObject): JsonObject {
  const merged: Record<string, unknown> = { ...(isObject(target) ? target : {}) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else if (value !== undefined)
      merged[key] = isObject(value) && !replacedWhole.has(key) ? mergePatch(merged[key], value) : value;
  }
  return merged;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
