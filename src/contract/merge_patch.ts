import { z } from 'zod';

/** The values of a JSON merge patch (RFC 7396) on an object: a field left out keeps its value, null sets it back. */
export type MergePatch<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [Key in keyof T]?: MergePatch<T[Key]> | null | undefined }
    : T;

/**
 * The schema of a JSON merge patch (RFC 7396) on what `schema` describes. Fields that have no default cannot be set to null;
 * what `whole` names is replaced as it stands, not merged.
 */
export function mergePatchOf(schema: z.ZodObject, whole: ReadonlySet<string>): z.ZodObject {
  const shape = Object.entries(schema.shape).map(([name, field]) => {
    const inner = withoutDefault(field as z.ZodType);
    const patched = whole.has(name) ? inner : patchOf(inner, whole);
    const described = withDescription(patched, (field as z.ZodType).description ?? inner.description);
    return [name, inner === field ? described.optional() : described.nullish()] as const;
  });
  return z.strictObject(Object.fromEntries(shape));
}

function patchOf(schema: z.ZodType, whole: ReadonlySet<string>): z.ZodType {
  if (schema instanceof z.ZodObject) return mergePatchOf(schema, whole);
  if (schema instanceof z.ZodRecord)
    return z.record(schema.keyType as z.ZodString, (schema.valueType as z.ZodType).nullable());
  return schema;
}

function withDescription(schema: z.ZodType, description: string | undefined): z.ZodType {
  return description === undefined || description === schema.description
    ? schema
    : schema.describe(description);
}

function withoutDefault(field: z.ZodType): z.ZodType {
  const inner = field instanceof z.ZodDefault || field instanceof z.ZodPrefault ? field.unwrap() : field;
  return inner === field ? field : withoutDefault(inner as z.ZodType);
}
