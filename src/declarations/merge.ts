import { replacedWhole } from '../contract/spec.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** Fields that hold names and values, of which one can be taken out by null. */
const records: ReadonlySet<string> = new Set(['env', 'depends_on']);

/**
 * The fields of a service over those that hold for all: objects are merged key by key, everything else is replaced as it
 * stands, and so are probes and schedules. null is a value like others; only in `env` and `depends_on` it takes out what
 * there was before.
 */
export function mergeFields(base: Fields, over: Fields): Fields {
  const merged: Record<string, unknown> = { ...base };
  for (const [name, value] of Object.entries(over)) {
    const below = base[name];
    if (replacedWhole.has(name) || !isFields(below) || !isFields(value)) merged[name] = value;
    else merged[name] = records.has(name) ? mergeRecord(below, value) : mergeFields(below, value);
  }
  return merged;
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function mergeRecord(base: Fields, over: Fields): Fields {
  const takenOut = new Set(Object.keys(over).filter((name) => over[name] === null && name in base));
  return Object.fromEntries(Object.entries({ ...base, ...over }).filter(([name]) => !takenOut.has(name)));
}
