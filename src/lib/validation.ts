import { distance } from 'fastest-levenshtein';
import type { z } from 'zod';
import { DavitError } from './errors.ts';

type Issue = z.core.$ZodIssue;

/** One place of a bad input, as the keys that lead there. */
export interface Problem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** The key itself is wrong, not what stands under it. */
  readonly isAboutKey?: true;
}

export type Checked<T> = { readonly data: T } | { readonly problems: readonly Problem[] };

/**
 * Checks `input` and fills in defaults. Throws `invalid_request` whose `details` name every place that is wrong,
 * never the value that was given there (it may be a secret).
 *
 * @param subject what is checked, for the sentence: "the body", "the query", "/etc/davit/davit.yaml"
 */
export function validate<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
  subject: string,
): z.output<Schema> {
  const result = check(schema, input);
  if ('data' in result) return result.data;
  const details = result.problems.map(({ path, message }) => ({ path: pathText(path), message }));
  const first = details[0] ?? { path: '', message: 'is not valid' };
  const more = details.length > 1 ? ` (and ${details.length - 1} more)` : '';
  const place = first.path === '' ? subject : `${first.path} in ${subject}`;
  throw new DavitError('invalid_request', `${place}: ${first.message}${more}`, { details });
}

/** As `validate`, with what is wrong as the outcome. */
export function check<Schema extends z.ZodType>(schema: Schema, input: unknown): Checked<z.output<Schema>> {
  const result = schema.safeParse(input);
  if (result.success) return { data: result.data };
  return { problems: result.error.issues.flatMap((issue) => describeIssue(schema, issue, input)) };
}

/** The name in `known` that is close enough to `name` to be what was meant, or null. */
export function closestName(name: string, known: Iterable<string>): string | null {
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const found = distance(name.toLowerCase(), candidate.toLowerCase());
    if (found < bestDistance) [best, bestDistance] = [candidate, found];
  }
  return best;
}

function describeIssue(schema: z.ZodType, issue: Issue, input: unknown): Problem[] {
  const isMissing =
    (issue.code === 'invalid_type' || issue.code === 'invalid_union') &&
    valueAt(input, issue.path) === undefined;
  return isMissing ? [{ path: issue.path, message: 'is missing' }] : problemsOf({ schema, input }, issue, []);
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key],
    input,
  );
}

interface Subject {
  readonly schema: z.ZodType;
  readonly input: unknown;
}

function problemsOf(subject: Subject, issue: Issue, base: PropertyKey[]): Problem[] {
  const path = [...base, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(subject, path);
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: unknownKey(key, known),
      isAboutKey: true,
    }));
  }
  if (issue.code === 'invalid_union') {
    const branch = issue.errors.find((issues) => !issues.some(isMisfit));
    if (branch && branch.length > 0) return branch.flatMap((inner) => problemsOf(subject, inner, path));
    const expected = issue.errors.flatMap((issues) => issues.filter(isMisfit).map(expectedName));
    if (expected.length > 0) return [{ path, message: `must be ${[...new Set(expected)].join(' or ')}` }];
  }
  if (issue.code === 'invalid_key') {
    return issue.issues.map((inner) => ({ path, message: `its name ${inner.message}`, isAboutKey: true }));
  }
  const message =
    issue.code === 'invalid_type'
      ? `must be ${expectedName(issue)}`
      : issue.message.replace(/^Invalid (?:input|option): expected/, 'must be');
  return [{ path, message }];
}

type Misfit = z.core.$ZodIssueInvalidType | z.core.$ZodIssueInvalidValue;

/** Whether a value is of another kind altogether. */
function isMisfit(issue: Issue): issue is Misfit {
  return (issue.code === 'invalid_type' || issue.code === 'invalid_value') && issue.path.length === 0;
}

const typeNames: Readonly<Record<string, string>> = {
  tuple: 'a list',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  int: 'a whole number',
  boolean: 'true or false',
  null: 'null',
};

/** What would be right, in the contract's words. */
function expectedName(issue: Misfit): string {
  if (issue.code === 'invalid_value') return issue.values.map((value) => JSON.stringify(value)).join(' or ');
  return typeNames[issue.expected] ?? `a ${issue.expected}`;
}

function unknownKey(key: string, known: readonly string[]): string {
  const meant = closestName(key, known);
  if (meant !== null) return `is not known; did you mean "${meant}"?`;
  return known.length > 0
    ? `is not known; known are ${known.join(', ')}`
    : 'is not known; nothing is expected here';
}

/** The keys as one text, such as `stop.timeout` or `configs[0].path`. */
export function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, key) =>
      typeof key === 'number' ? `${text}[${key}]` : text === '' ? String(key) : `${text}.${String(key)}`,
    '',
  );
}

/** The keys that an object at `path` inside the schema may have. */
function keysAt({ schema, input }: Subject, path: readonly PropertyKey[]): string[] {
  let current: unknown = schema;
  let value = input;
  for (const key of path) {
    current = childOf(current, key, value);
    value = valueAt(value, [key]);
  }
  return Object.keys(shapeOf(current, value) ?? {});
}

function childOf(schema: unknown, key: PropertyKey, value: unknown): unknown {
  const inner = unwrap(schema) as { element?: unknown; valueType?: unknown } | undefined;
  return shapeOf(schema, value)?.[key] ?? inner?.element ?? inner?.valueType;
}

type Shape = Readonly<Record<PropertyKey, unknown>>;

/** The fields of an object; of one that may take several forms, those of the form that `value` says it has. */
function shapeOf(schema: unknown, value: unknown): Shape | undefined {
  const inner = unwrap(schema) as
    | { shape?: Shape; options?: readonly { shape?: Shape }[]; def?: { discriminator?: string } }
    | undefined;
  const discriminator = inner?.def?.discriminator;
  if (discriminator === undefined) return inner?.shape;
  const form = valueAt(value, [discriminator]);
  return inner?.options?.find(({ shape }) => (shape?.[discriminator] as { value?: unknown })?.value === form)
    ?.shape;
}

function unwrap(schema: unknown): unknown {
  let current = schema as { unwrap?: () => unknown; element?: unknown } | undefined;
  while (typeof current?.unwrap === 'function' && current.element === undefined) {
    current = current.unwrap() as typeof current;
  }
  return current;
}
