import type { Parameter, ParameterValue } from '../contract/parameters.ts';
import type { Spec } from '../contract/spec.ts';
import { DavitError, type ErrorDetail, errorMessage } from '../lib/errors.ts';
import { compilePattern } from '../lib/pattern.ts';
import { closestName } from '../lib/validation.ts';

type Definitions = Pick<Spec, 'parameters' | 'arguments'>;

/**
 * The values of parameters as text, those that have one. Throws `invalid_request` where one is missing without which
 * nothing may start.
 */
export function parameterTexts(spec: Definitions): Record<string, string> {
  const missing = missingParameters(spec);
  if (missing.length > 0) {
    const details = missing.map((name) => ({ path: `arguments.${name}`, message: 'is missing' }));
    const names = missing.join(', ');
    throw new DavitError('invalid_request', `arguments of the service: ${names} must be given`, { details });
  }
  const values = Object.entries(spec.parameters).map(([name, definition]) => [
    name,
    own(spec.arguments, name) ?? definition.default,
  ]);
  return Object.fromEntries(
    values.filter(([, value]) => value !== null).map(([name, value]) => [name, String(value)]),
  );
}

/** A name is only what somebody wrote, never what every object has. */
function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

/** The parameters without which nothing may start, and that have no value. */
export function missingParameters({ parameters, arguments: given }: Definitions): string[] {
  return Object.entries(parameters).flatMap(([name, { required, default: fallback }]) =>
    required && fallback === null && own(given, name) === undefined ? [name] : [],
  );
}

/** What is wrong with definitions, values and places of parameters. */
export function parameterProblems(spec: Spec): ErrorDetail[] {
  return [...definitionProblems(spec), ...argumentProblems(spec), ...placeProblems(spec)];
}

function definitionProblems({ parameters }: Definitions): ErrorDetail[] {
  return Object.entries(parameters).flatMap(([name, definition]) => {
    const { type, values, pattern, default: fallback } = definition;
    const at = (field: string, message: string) => ({ path: `parameters.${name}.${field}`, message });
    const problems: ErrorDetail[] = [];
    if ((type === 'enum') !== (values !== null))
      problems.push(at('values', type === 'enum' ? 'is missing' : 'goes with "type: enum" only'));
    if (pattern !== null && type !== 'string') problems.push(at('pattern', 'goes with "type: string" only'));
    const wrong = pattern === null ? null : whatIsWrongWith(pattern);
    if (wrong !== null) return [...problems, at('pattern', wrong)];
    const unfit = fallback === null ? null : misfit(definition, fallback);
    return unfit === null ? problems : [...problems, at('default', unfit)];
  });
}

function argumentProblems({ parameters, arguments: given }: Definitions): ErrorDetail[] {
  return Object.entries(given).flatMap(([name, value]) => {
    const definition = own(parameters, name);
    const message = definition === undefined ? unknown(name, parameters) : safeMisfit(definition, value);
    return message === null ? [] : [{ path: `arguments.${name}`, message }];
  });
}

function unknown(name: string, parameters: Definitions['parameters']): string {
  const meant = closestName(name, Object.keys(parameters));
  return meant === null
    ? 'is no parameter of the service'
    : `is no parameter of the service; did you mean "${meant}"?`;
}

/** Why a value does not do; what is wrong with the definition itself is told elsewhere. */
function safeMisfit(definition: Parameter, value: ParameterValue): string | null {
  if (definition.pattern !== null && whatIsWrongWith(definition.pattern) !== null) return null;
  return misfit(definition, value);
}

function misfit({ type, values, pattern, max_length }: Parameter, value: ParameterValue): string | null {
  const text = String(value);
  if (text.length > max_length) return `must not be longer than ${max_length} characters`;
  switch (type) {
    case 'integer':
      return /^(0|-?[1-9]\d{0,14})$/.test(text) ? null : 'must be a whole number';
    case 'boolean':
      return text === 'true' || text === 'false' ? null : 'must be true or false';
    case 'enum':
      return values?.includes(text) === false ? `must be one of ${values.join(', ')}` : null;
    default:
      if (pattern !== null)
        return compilePattern(`\\A(?:${pattern})\\z`)(text) ? null : `must match ${pattern}, as a whole`;
      if (/\p{Cc}|\p{Zl}|\p{Zp}/u.test(text)) return 'must be one line without control characters';
      // It might be taken for an option.
      return text.startsWith('-') ? 'must not begin with a hyphen; only a pattern can allow that' : null;
  }
}

/** A pattern stands for itself first: a parenthesis that it does not open must not open what it is put into. */
function whatIsWrongWith(pattern: string): string | null {
  try {
    compilePattern(`(?:)${pattern}`);
    compilePattern(`\\A(?:${pattern})\\z`);
    return null;
  } catch (error) {
    return errorMessage(error);
  }
}

const placeholder = /\$?\$\{parameter\.([^}]*)\}/g;
/** Where a value is filled in: behind the program of a list, in variables, and in what probes compare with. */
const filledIn = /^(command\.[1-9]\d*|env\..+|(readiness|liveness)\.(?!command$|command\.0$).+)$/s;
const isLine = /^(command|(readiness|liveness)\.command|configs\.\d+\.validate)$/;
const isProgram = /^(command|(readiness|liveness)\.command|configs\.\d+\.validate)\.0$/;
/** An option behind which a program takes code, and one that holds it. */
const beforeCode = /^(-[a-zA-Z]{0,3}[cer]|--?(command|eval|execute|print|exec))$/;
const withCode = /^(-[a-zA-Z]{0,3}[cer]\$\{|--?(command|eval|execute|print|exec)=)/;

/** A value must never become code: not in a line for a shell, nor as the program itself, nor behind an option such as -c. */
function placeProblems(spec: Spec): ErrorDetail[] {
  if (Object.keys(spec.parameters).length === 0) return [];
  const { command, cwd, env, readiness, liveness, configs } = spec;
  const places = textsIn({ command, cwd, env, readiness, liveness, configs }, []);
  return places.flatMap((place) => {
    const { path, text } = place;
    const names = [...text.matchAll(placeholder)].flatMap(([found, name = '']) =>
      found.startsWith('$$') ? [] : [name],
    );
    const [unfit] = names.flatMap((name) => misplaced(name, place, spec.parameters) ?? []);
    return unfit === undefined ? [] : [{ path, message: unfit }];
  });
}

function misplaced(
  name: string,
  { path, text, before }: Place,
  parameters: Definitions['parameters'],
): string | null {
  const used = `uses \${parameter.${name}}`;
  if (own(parameters, name) === undefined) return `${used}, which ${unknown(name, parameters)}`;
  if (isLine.test(path))
    return `${used} in a line for a shell, which would take a value for code: write "$PARAMETER_${name.toUpperCase()}", or a list`;
  if (isProgram.test(path)) return `${used} as the program: a value must not choose what runs`;
  if (!filledIn.test(path)) return `${used}, which is not filled in here`;
  const isCode = withCode.test(text) || (before !== undefined && beforeCode.test(before));
  return isCode && !path.startsWith('env.') ? `${used} in an option by which a program takes code` : null;
}

interface Place {
  readonly path: string;
  readonly text: string;
  /** What stands before it in a list. */
  readonly before: string | undefined;
}

function textsIn(value: unknown, path: readonly string[], before?: unknown): Place[] {
  if (typeof value === 'string')
    return [{ path: path.join('.'), text: value, before: typeof before === 'string' ? before : undefined }];
  if (Array.isArray(value))
    return value.flatMap((item, index) => textsIn(item, [...path, String(index)], value[index - 1]));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => textsIn(item, [...path, key]));
}
