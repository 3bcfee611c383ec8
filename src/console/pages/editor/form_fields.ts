import { alternativesOf, isFields, isNullable, itemOf, type JsonSchema } from './json_schema.ts';

interface Common {
  readonly name: string;
  readonly description: string;
  /** undefined: there is none. */
  readonly default: unknown;
  readonly isRequired: boolean;
  readonly isNullable: boolean;
}

/** One value: a text, a number, a switch, one of several. */
export interface ScalarField extends Common {
  readonly kind: 'scalar';
  readonly alternatives: readonly JsonSchema[];
}

/** A field of a form, as it can be made of a schema. */
export type FormField =
  | ScalarField
  | (Common & { readonly kind: 'list'; readonly item: ScalarField })
  /** A text that a shell reads, or a list that is taken as it stands. */
  | (Common & { readonly kind: 'text_or_list'; readonly example: string })
  | (Common & { readonly kind: 'record'; readonly value: ScalarField })
  | (Common & { readonly kind: 'group'; readonly fields: readonly FormField[] })
  | (Common & { readonly kind: 'groups'; readonly fields: readonly FormField[] })
  /** One of several groups, by the constant that a field of each has. */
  | (Common & { readonly kind: 'choice'; readonly by: string; readonly options: readonly Option[] })
  /** Nothing that a form could show: it stands in the YAML only. */
  | (Common & { readonly kind: 'yaml' });

interface Option {
  readonly value: string;
  readonly fields: readonly FormField[];
}

const scalarTypes: ReadonlySet<string | undefined> = new Set(['string', 'integer', 'number', 'boolean']);

/** The fields of an object, in its order. */
export function formFields({ properties = {}, required = [] }: JsonSchema): FormField[] {
  return Object.entries(properties).map(([name, inner]) => formField(name, inner, required.includes(name)));
}

function formField(name: string, schema: JsonSchema, isRequired: boolean): FormField {
  const alternatives = alternativesOf(schema);
  const [first = {}] = alternatives;
  const common: Common = {
    name,
    description: schema.description ?? '',
    default: schema.default,
    isRequired,
    isNullable: isNullable(schema),
  };
  if (alternatives.length > 0 && alternatives.every(isScalar))
    return { ...common, kind: 'scalar', alternatives };
  const by = constantOf(alternatives);
  if (by !== null)
    return { ...common, kind: 'choice', by, options: alternatives.map((one) => optionOf(one, by)) };
  if (isTextOrList(alternatives)) {
    const { examples = [] } = schema;
    // A command is another one as a text; where a list is meant, one text is a list of one.
    if (examples.some(Array.isArray))
      return { ...common, kind: 'text_or_list', example: examples.find(isText) ?? '' };
    const item = formField('item', first, true);
    if (item.kind === 'scalar') return { ...common, kind: 'list', item };
  }
  if (alternatives.length !== 1) return { ...common, kind: 'yaml' };
  if (first.type === 'array') return listField(common, first);
  if (first.properties) return { ...common, kind: 'group', fields: formFields(first) };
  if (typeof first.additionalProperties !== 'object') return { ...common, kind: 'yaml' };
  const value = formField('value', first.additionalProperties, true);
  if (value.kind === 'scalar') return { ...common, kind: 'record', value };
  // A text stands for the other forms as well, as in what a header must be: those are shown as they stand.
  const texts = alternativesOf(first.additionalProperties).filter(isScalar);
  if (value.kind !== 'yaml' || texts.length === 0) return { ...common, kind: 'yaml' };
  return { ...common, kind: 'record', value: { ...value, kind: 'scalar', alternatives: texts } };
}

function listField(common: Common, schema: JsonSchema): FormField {
  const item = formField('item', itemOf(schema), true);
  if (item.kind === 'scalar') return { ...common, kind: 'list', item };
  return item.kind === 'group'
    ? { ...common, kind: 'groups', fields: item.fields }
    : { ...common, kind: 'yaml' };
}

function optionOf(schema: JsonSchema, by: string): Option {
  const fields = formFields(schema).filter(({ name }) => name !== by);
  return { value: String(schema.properties?.[by]?.const), fields };
}

function constantOf(alternatives: readonly JsonSchema[]): string | null {
  const [first] = alternatives;
  if (alternatives.length < 2) return null;
  const names = Object.keys(first?.properties ?? {});
  return (
    names.find((name) => alternatives.every(({ properties }) => 'const' in (properties?.[name] ?? {}))) ??
    null
  );
}

function isScalar({ type }: JsonSchema): boolean {
  return scalarTypes.has(type);
}

function isTextOrList(alternatives: readonly JsonSchema[]): boolean {
  const [text, list] = alternatives;
  return (
    alternatives.length === 2 &&
    text?.type === 'string' &&
    list?.type === 'array' &&
    itemOf(list).type === 'string'
  );
}

/** What can be chosen of a scalar, where it can be nothing else; null: it is written. */
export function choicesOf({ alternatives }: ScalarField): readonly string[] | null {
  const listed = alternatives.map((one) => one.enum ?? ('const' in one ? [one.const] : null));
  return listed.some((values) => values === null)
    ? null
    : listed.flatMap((values) => (values ?? []).map(String));
}

/** What is a good thing to write, beside what else may be written. */
export function suggestionsOf({ alternatives }: ScalarField): readonly string[] {
  return alternatives.flatMap((one) => ('const' in one ? [String(one.const)] : []));
}

export function exampleOf({ alternatives }: ScalarField): string {
  return String(alternatives.flatMap(({ examples = [] }) => examples)[0] ?? '');
}

export function isSwitch({ alternatives }: ScalarField): boolean {
  return alternatives.length === 1 && alternatives[0]?.type === 'boolean';
}

export function isNumeric({ alternatives }: ScalarField): boolean {
  return alternatives.every(({ type }) => type === 'integer' || type === 'number');
}

/** The value that a text means: a number where one may stand. undefined: none. */
export function readScalar(
  { alternatives }: ScalarField,
  text: string,
): string | number | boolean | undefined {
  if (text === '') return undefined;
  const types = new Set(alternatives.map(({ type }) => type));
  if ((types.has('integer') || types.has('number')) && /^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (types.has('boolean') && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}

/** Whether the form can show this value of a field, and write it again without losing anything of it. */
export function canShow(field: FormField, value: unknown): boolean {
  if (field.kind === 'yaml') return false;
  if (value === undefined || value === null) return true;
  switch (field.kind) {
    case 'scalar':
      return !isObject(value) && !String(value).includes('\n');
    case 'list':
      return typeof value === 'string' || (Array.isArray(value) && value.every(isLine));
    case 'text_or_list':
      return typeof value === 'string' || (Array.isArray(value) && value.every(isArgument));
    case 'groups':
      return Array.isArray(value) && value.every(isFields);
    case 'choice':
      return isFields(value) && field.options.some((option) => option.value === value[field.by]);
    default:
      return isFields(value);
  }
}

/** What is the same when it is written as a line and read again. */
function isLine(value: unknown): boolean {
  const text = String(value);
  return !isObject(value) && text !== '' && text === text.trim() && !text.includes('\n');
}

function isArgument(value: unknown): boolean {
  return isText(value) && value.trim() !== '' && !value.includes('\n');
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}
