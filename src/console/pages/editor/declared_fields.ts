import type { Service } from '../../../contract/services.ts';
import { type Fields, isFields, isSame, itemOf, type JsonSchema, objectSchemaFor } from './json_schema.ts';

/** What the agent keeps of a service where it is not said: what a pipeline brought. */
export const keptWhenAbsent: ReadonlySet<string> = new Set(['artifact', 'arguments']);

/** What of a service is not as it would be by itself: what a file would have to say to declare it. */
export function declaredFields(schema: JsonSchema, { spec, status }: Service): Fields {
  // As many as somebody asked for are what there is; which files it runs is said by who uploads them.
  const { artifact: _, ...wanted } = { ...spec, instances: status.instances.wanted };
  return withoutDefaults(schema, wanted) as Fields;
}

/** Leaves out what is as it would be if it were left out. */
export function withoutDefaults(schema: JsonSchema, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutDefaults(itemOf(schema), item));
  if (!isFields(value)) return value;
  const { properties = {}, required = [], additionalProperties } = objectSchemaFor(schema, value) ?? {};
  const kept = Object.entries(value).flatMap(([name, given]) => {
    const others = typeof additionalProperties === 'object' ? additionalProperties : {};
    const inner = (Object.hasOwn(properties, name) && properties[name]) || others;
    const short = withoutDefaults(inner, given);
    const isDefault =
      'default' in inner && !required.includes(name) && isSame(short, withoutDefaults(inner, inner.default));
    return isDefault ? [] : [[name, short] as const];
  });
  return Object.fromEntries(kept);
}

/**
 * What makes `given` of `current`, both as files declare them, as a JSON merge patch: what is the same is left out, hidden
 * values of variables too, and null sets back what is no longer said. Unions are replaced as they stand.
 */
export function patchBetween(schema: JsonSchema, current: Fields, given: Fields): Fields {
  const [before, after] = [withoutDefaults(schema, current), withoutDefaults(schema, given)] as [
    Fields,
    Fields,
  ];
  const patch = Object.entries(changesOf(schema, before, after)).filter(
    ([name]) => !keptWhenAbsent.has(name) || name in given,
  );
  const { artifact } = given;
  return { ...Object.fromEntries(patch), ...(artifact !== undefined && { artifact }) };
}

function changesOf(schema: JsonSchema, before: Fields, after: Fields): Fields {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  const changes = [...names].flatMap((name) => {
    const [was, is] = [before[name], after[name]];
    if (!Object.hasOwn(after, name)) return [[name, null] as const];
    if (isSame(was, is)) return [];
    const inner = schema.properties?.[name] ?? {};
    const isMerged = isFields(was) && isFields(is) && inner.type === 'object';
    return [[name, isMerged ? changesOf(inner, was, is) : is] as const];
  });
  return Object.fromEntries(changes);
}
