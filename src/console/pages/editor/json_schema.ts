/** What of JSON Schema (draft 7) the contract is written in, and a form can be made of. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  /** A list: what stands at each place, which here is the same everywhere. */
  readonly items?: JsonSchema | readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly propertyNames?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly definitions?: Readonly<Record<string, JsonSchema>>;
}

export type Fields = Readonly<Record<string, unknown>>;

/** How deep a schema may be; what lies deeper, such as in one that refers to itself, may be anything. */
const deepest = 12;

/** The schema of one service, out of the schema of a declaration, with every reference followed. */
export function serviceSchema(declaration: JsonSchema): JsonSchema {
  const service = declaration.properties?.['services']?.additionalProperties;
  if (typeof service !== 'object') throw new Error('the schema of a declaration describes no services');
  return followed(service, declaration.definitions ?? {}, deepest);
}

/** The schema of the id of a service. */
export function idSchema(declaration: JsonSchema): JsonSchema {
  const names = declaration.properties?.['services']?.propertyNames ?? {};
  return followed(names, declaration.definitions ?? {}, deepest);
}

function followed(
  schema: JsonSchema,
  definitions: Readonly<Record<string, JsonSchema>>,
  depth: number,
): JsonSchema {
  if (depth === 0) return {};
  const next = (inner: JsonSchema) => followed(inner, definitions, depth - 1);
  const { $ref, allOf = [], ...own } = schema;
  const referred = $ref === undefined ? {} : next(definitions[$ref.split('/').at(-1) ?? ''] ?? {});
  // Of several patterns the first one counts here; the agent asks for all of them.
  const parts: JsonSchema = Object.assign({}, ...allOf.toReversed().map(next));
  const { items, properties, additionalProperties, propertyNames, anyOf, oneOf } = own;
  const one = Array.isArray(items) ? items[0] : (items as JsonSchema | undefined);
  return {
    ...referred,
    ...parts,
    ...own,
    ...(one && { items: next(one) }),
    ...(properties && {
      properties: Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, next(inner)])),
    }),
    ...(typeof additionalProperties === 'object' && { additionalProperties: next(additionalProperties) }),
    ...(propertyNames && { propertyNames: next(propertyNames) }),
    ...(anyOf && { anyOf: anyOf.map(next) }),
    ...(oneOf && { oneOf: oneOf.map(next) }),
  };
}

/** Everything that a value may be instead of null; unions within unions are opened. */
export function alternativesOf(schema: JsonSchema): readonly JsonSchema[] {
  const among = schema.anyOf ?? schema.oneOf;
  if (among === undefined) return schema.type === 'null' ? [] : [schema];
  return among.flatMap(alternativesOf);
}

export function isNullable(schema: JsonSchema): boolean {
  return schema.type === 'null' || [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].some(isNullable);
}

/** The schema of what stands in a list. */
export function itemOf({ items }: JsonSchema): JsonSchema {
  return (items as JsonSchema | undefined) ?? {};
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether two values of JSON are the same, whatever the order of their keys. */
export function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, index) => isSame(item, b[index]));
  if (!isFields(a) || !isFields(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && isSame(a[key], b[key]))
  );
}

/** Of the alternatives that are objects, the one that `value` is: told by a constant that it has, else the first. */
export function objectSchemaFor(schema: JsonSchema, value: Fields): JsonSchema | null {
  const objects = alternativesOf(schema).filter(({ type }) => type === 'object');
  const named = objects.find(({ properties = {} }) =>
    Object.entries(properties).some(([name, inner]) => 'const' in inner && inner.const === value[name]),
  );
  return (
    named ??
    objects.find(({ required = [] }) => required.every((name) => name in value)) ??
    objects[0] ??
    null
  );
}

/** The schema of what stands at a place, as the agent names it: `stop.timeout`. What is not known may be anything. */
export function schemaAt(schema: JsonSchema, place: string): JsonSchema {
  return place.split('.').reduce<JsonSchema>((at, name) => at.properties?.[name] ?? {}, schema);
}
