import {
  alternativesOf,
  type Fields,
  isFields,
  isNullable,
  itemOf,
  type JsonSchema,
  objectSchemaFor,
} from './json_schema.ts';

/** What is wrong at a place, by the name of its sentence (`editor.problem_<name>`) and what stands in that. */
export interface Problem {
  /** Keys and places, with dots between them. */
  readonly path: string;
  readonly name:
    | 'missing'
    | 'misfit'
    | 'form'
    | 'form_like'
    | 'least'
    | 'greatest'
    | 'long'
    | 'whole'
    | 'unknown'
    | 'hidden'
    | 'count';
  readonly values?: Readonly<Record<string, string | number>>;
  /** For `misfit`: what would be right: values, or types of JSON. */
  readonly expected?: readonly string[];
}

type Path = readonly (string | number)[];

/** What a schema says of a value. What only the agent can tell, it tells in its plan. */
export function problemsOf(schema: JsonSchema, value: unknown, path: Path = []): Problem[] {
  const at = path.join('.');
  if (value === null && isNullable(schema)) return [];
  const alternatives = alternativesOf(schema);
  if (alternatives.length === 0 || alternatives.every(({ type }) => type === undefined)) return [];
  const fitting = alternatives.filter((one) => isOfType(one, value));
  if (fitting.length === 0)
    return [value === null ? { path: at, name: 'missing' } : misfit(alternatives, at)];
  if (isFields(value)) return objectProblems(objectSchemaFor(schema, value) ?? {}, value, path);
  // Of several forms the one that is nearest tells what is wrong.
  const all = fitting.map((one) =>
    Array.isArray(value) ? listProblems(one, value, path) : scalarProblems(one, value, at),
  );
  return all.toSorted((a, b) => a.length - b.length)[0] ?? [];
}

function objectProblems(schema: JsonSchema, value: Fields, path: Path): Problem[] {
  const { properties = {}, required = [], additionalProperties, propertyNames } = schema;
  const missing = required.filter((name) => value[name] === undefined);
  return [
    ...missing.map((name) => ({ path: [...path, name].join('.'), name: 'missing' as const })),
    ...Object.entries(value).flatMap(([name, inner]): Problem[] => {
      const place = [...path, name];
      const own = Object.hasOwn(properties, name) ? properties[name] : undefined;
      if (own) return inner === undefined ? [] : problemsOf(own, inner, place);
      if (typeof additionalProperties !== 'object')
        return additionalProperties === false ? [{ path: place.join('.'), name: 'unknown' }] : [];
      const ofName = propertyNames ? scalarProblems(propertyNames, name, place.join('.')) : [];
      return [...ofName, ...problemsOf(additionalProperties, inner, place)];
    }),
  ];
}

function listProblems(schema: JsonSchema, value: readonly unknown[], path: Path): Problem[] {
  const { minItems = 0, maxItems = Number.POSITIVE_INFINITY } = schema;
  if (value.length < minItems) return [{ path: path.join('.'), name: 'missing' }];
  if (value.length > maxItems)
    return [{ path: path.join('.'), name: 'count', values: { greatest: maxItems } }];
  return value.flatMap((item, index) => problemsOf(itemOf(schema), item, [...path, index]));
}

function scalarProblems(schema: JsonSchema, value: unknown, path: string): Problem[] {
  if (schema.enum && !schema.enum.includes(value))
    return [{ path, name: 'misfit', expected: expectedOf(schema) }];
  if ('const' in schema && schema.const !== value)
    return [{ path, name: 'misfit', expected: expectedOf(schema) }];
  if (typeof value === 'number') return numberProblems(schema, value, path);
  if (typeof value !== 'string') return [];
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY, pattern, examples = [] } = schema;
  if (value.length < minLength) return [{ path, name: 'missing' }];
  if (value.length > maxLength) return [{ path, name: 'long', values: { greatest: maxLength } }];
  if (pattern === undefined || expressionOf(pattern)?.test(value) !== false) return [];
  const example = examples.find((one) => typeof one === 'string');
  return [
    example === undefined
      ? { path, name: 'form' }
      : { path, name: 'form_like', values: { example: String(example) } },
  ];
}

function numberProblems(schema: JsonSchema, value: number, path: string): Problem[] {
  const {
    type,
    minimum = Number.NEGATIVE_INFINITY,
    maximum = Number.POSITIVE_INFINITY,
    exclusiveMinimum,
  } = schema;
  if (type === 'integer' && !Number.isInteger(value)) return [{ path, name: 'whole' }];
  if (value < minimum) return [{ path, name: 'least', values: { least: minimum } }];
  if (exclusiveMinimum !== undefined && value <= exclusiveMinimum)
    return [{ path, name: 'least', values: { least: exclusiveMinimum } }];
  return value > maximum ? [{ path, name: 'greatest', values: { greatest: maximum } }] : [];
}

/** Of another kind altogether; where that is a text of a certain form, an example says more. */
function misfit(alternatives: readonly JsonSchema[], path: string): Problem {
  const [text] = alternatives.length === 1 ? alternatives : [];
  const example = text?.pattern === undefined ? undefined : text.examples?.[0];
  return example === undefined
    ? { path, name: 'misfit', expected: alternatives.flatMap(expectedOf) }
    : { path, name: 'form_like', values: { example: String(example) } };
}

function expectedOf(schema: JsonSchema): string[] {
  if (schema.enum) return schema.enum.map(String);
  return 'const' in schema ? [String(schema.const)] : [schema.type ?? ''];
}

function isOfType({ type }: JsonSchema, value: unknown): boolean {
  switch (type) {
    case undefined:
      return true;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isFields(value);
    case 'integer':
      return typeof value === 'number';
    default:
      return typeof value === type;
  }
}

/** null: one that browsers do not know. */
function expressionOf(pattern: string): RegExp | null {
  try {
    return new RegExp(pattern, 'u');
  } catch {
    return null;
  }
}
