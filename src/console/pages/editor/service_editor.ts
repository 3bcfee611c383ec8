import { computed, type InjectionKey, inject, ref, shallowRef } from 'vue';
import { useI18n } from 'vue-i18n';
import type { Service } from '../../../contract/services.ts';
import { type Problem, problemsOf } from './check.ts';
import { declaredFields } from './declared_fields.ts';
import { formFields } from './form_fields.ts';
import { hiddenMark } from './hidden_mark.ts';
import { type Fields, idSchema, isFields, isSame, type JsonSchema, serviceSchema } from './json_schema.ts';
import type { Path, ServiceText, TextProblem } from './service_text.ts';

/** What reads and writes the YAML; it is fetched with the first editor. */
type TextModule = typeof import('./service_text.ts');

export interface EditorParts {
  readonly declaration: JsonSchema;
  /** null: it is new. */
  readonly service: Service | null;
  readonly yaml: TextModule;
}

/** What the agent said of a place, and what stood there then. */
interface Told {
  readonly path: string;
  readonly message: string;
  readonly value: unknown;
}

/** What the fields of the form share. */
export type ServiceEditor = ReturnType<typeof useServiceEditor>;
export const editorKey: InjectionKey<ServiceEditor> = Symbol('editor');

export function useEditor(): ServiceEditor {
  const editor = inject(editorKey);
  if (editor === undefined) throw new Error('a field stands outside of an editor');
  return editor;
}

/** A service as it is written: one YAML text, which the form and the text field both show and change. */
export function useServiceEditor({ declaration, service, yaml }: EditorParts) {
  const { t, te } = useI18n();
  const schema = serviceSchema(declaration);
  const fields = formFields(schema);
  const original = service === null ? '' : yaml.textOfFields(declaredFields(schema, service));
  /** Variables whose values the agent keeps and does not show. */
  const hiddenNames: ReadonlySet<string> = new Set(Object.keys(service?.spec.env ?? {}));
  const id = ref(service?.id ?? '');
  const read = shallowRef<ServiceText>(new yaml.ServiceText(original));
  /** What could be read last: the form shows it while the text is being repaired. */
  const value = shallowRef<Fields>(read.value.value);
  const text = ref(original);
  const told = ref<readonly Told[]>([]);
  /** Whether what is missing is told as well: at first everything is. */
  const isStrict = ref(false);

  const problem = computed<TextProblem | null>(() => read.value.problem);
  const isChanged = computed(() => text.value !== original || id.value !== (service?.id ?? ''));
  const found = computed<readonly Problem[]>(() => [
    ...problemsOf(idSchema(declaration), id.value || null).map((one) => ({ ...one, path: 'id' })),
    ...problemsOf(schema, value.value),
    ...(schema.properties?.['command'] && value.value['command'] === undefined
      ? [{ path: 'command', name: 'missing' as const }]
      : []),
    ...hiddenProblems(value.value, hiddenNames),
  ]);
  const problems = computed<ReadonlyMap<string, string>>(() => {
    const own = found.value.filter(({ name }) => isStrict.value || name !== 'missing');
    const ofAgent = told.value.filter((one) => isSame(one.value, valueAt(value.value, one.path.split('.'))));
    return new Map([
      ...ofAgent.map(({ path, message }) => [path, message] as const),
      ...own.map((one) => [one.path, sentenceOf(one)] as const),
    ]);
  });

  function sentenceOf({ name, values = {}, expected = [] }: Problem): string {
    const wanted = [...new Set(expected)].map((one) =>
      te(`editor.kind_${one}`) ? t(`editor.kind_${one}`) : one,
    );
    return t(`editor.problem_${name}`, { ...values, expected: wanted.join(', ') });
  }

  function setText(next: string): void {
    text.value = next;
    read.value = new yaml.ServiceText(next);
    if (read.value.problem === null) value.value = read.value.value;
  }

  /** Sentences of the agent, each for its place; one without a place that the form has is for all. */
  function tell(details: readonly { readonly path: string; readonly message: string }[]): void {
    told.value = details.map(({ path, message }) => {
      const place = placeOf(path, id.value);
      return { path: place, message, value: valueAt(value.value, place.split('.')) };
    });
  }

  return {
    id,
    isNew: service === null,
    text,
    value,
    problem,
    problems,
    found,
    isStrict,
    isChanged,
    schema,
    fields,
    hiddenNames,
    setText,
    reset: () => setText(original),
    tell,
    set: (path: Path, next: unknown) => setText(read.value.with(path, next)),
    remove: (path: Path, floor = 0) => setText(read.value.without(path, floor)),
    rename: (path: Path, name: string, next: string) => setText(read.value.renamed(path, name, next)),
    isLinked: (path: Path) => read.value.isLinked(path),
    lineOf: (path: Path) => read.value.lineOf(path),
    at: (path: Path) => valueAt(value.value, path),
    withoutSecrets: () => (problem.value === null ? read.value.withoutSecrets() : null),
  };
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (at, key) => (at as Record<string | number, unknown> | null | undefined)?.[key],
    value,
  );
}

/** The place in the service of what the agent names in its declaration, or in the service itself. */
function placeOf(path: string, id: string): string {
  const before = `services.${id}`;
  const within = path === before ? '' : path.startsWith(`${before}.`) ? path.slice(before.length + 1) : path;
  return within.replaceAll(/\[(\d+)\]/g, '.$1');
}

/** A mark keeps the value of a variable that there is, and means nothing for others. */
function hiddenProblems({ env }: Fields, known: ReadonlySet<string>): Problem[] {
  if (!isFields(env)) return [];
  return Object.entries(env)
    .filter(([name, value]) => value === hiddenMark && !known.has(name))
    .map(([name]) => ({ path: `env.${name}`, name: 'hidden' as const }));
}
