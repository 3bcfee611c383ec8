import { DavitError, type ErrorDetail } from '../lib/errors.ts';

/** What the placeholders of an instance stand for. */
export interface PlaceholderValues {
  /** Null: it has none, and what asks for it is refused. Left out: `${PORT}` stays as it is. */
  readonly PORT?: number | null | undefined;
  /** From 1. */
  readonly INSTANCE: number;
  readonly SERVICE: string;
  readonly RELEASE: number;
  /** Left out: `${FILE}` stays as it is. */
  readonly FILE?: string | undefined;
  /** Where the files of its artifact are. Null: it has none, and what asks for it is refused. Left out: it stays as it is. */
  readonly ARTIFACT?: string | null | undefined;
  /** By name, for `${parameter.name}`; one that has no value is empty. Left out: they stay as they are. */
  readonly parameters?: Readonly<Record<string, string>> | undefined;
}

/** One more `$` in front makes it an ordinary text. Whatever else looks alike, such as `${HOME}`, is the shell's business. */
const placeholder = /\$?\$\{(PORT|INSTANCE|SERVICE|RELEASE|FILE|ARTIFACT|parameter\.[a-z][a-z0-9_]*)\}/g;

/** Where a spec without a port, or without an artifact, must not ask for one. */
const filledIn = /^(command\.\d+|(env|readiness|liveness)\..*|configs\.\d+\.validate\.\d+)$/s;
const needsArtifact = /^(cwd|command(\.\d+)?|(env|readiness|liveness)\..*)$/s;

/**
 * Puts the values into every text of something, however deep; `$${PORT}` gives the text `${PORT}`. Throws
 * `invalid_request` for a `${PORT}` where there is no port.
 */
export function fillIn<T>(value: T, values: PlaceholderValues): T {
  return mapTexts(value, [], (text) => fillText(text, values)) as T;
}

/**
 * The same for a command. One that runs in a shell, of an instance without a port, keeps its `${PORT}`: there it is a
 * variable like any other. So is `${ARTIFACT}` in each line for a shell, where no space in a path can split it.
 */
export function fillInCommand<T extends string | readonly string[]>(
  command: T,
  values: PlaceholderValues,
): T {
  if (typeof command !== 'string') return fillIn(command, values);
  const { PORT, ARTIFACT, parameters: _, ...others } = values;
  const kept = { ...(PORT !== null && { PORT }), ...(ARTIFACT === null && { ARTIFACT }) };
  return fillIn(command, { ...others, ...kept });
}

/** What a spec has of that which its placeholders may ask for. */
interface PlaceholderSources {
  readonly port: boolean;
  readonly artifact: boolean;
}

/**
 * Throws `invalid_request`, with every place, when a spec asks for a port or an artifact and has none. A command that runs
 * in a shell may ask for a port, see above, and what is not filled in, such as a regular expression, may hold anything.
 */
export function checkPlaceholders(spec: object, { port, artifact }: PlaceholderSources): void {
  const details: ErrorDetail[] = [];
  const note = (path: string, name: 'PORT' | 'ARTIFACT', advice: string) =>
    details.push({
      path,
      message: `uses \${${name}}, but the service has no ${name.toLowerCase()}: ${advice}`,
    });
  mapTexts(spec, [], (text, path) => {
    const place = path.join('.');
    if (!port && filledIn.test(place) && asksFor('PORT', text))
      note(place, 'PORT', 'set port to auto or a number');
    if (!artifact && needsArtifact.test(place) && asksFor('ARTIFACT', text))
      note(place, 'ARTIFACT', 'upload one with the deploy');
    return text;
  });
  const [first] = details;
  if (first !== undefined)
    throw new DavitError('invalid_request', `${first.path} ${first.message}`, { details });
}

/** The fixed port of an instance: the first has that of the spec, the others those that follow. */
export function numberPort(port: number, instance: number): number {
  return port + instance - 1;
}

function fillText(text: string, values: PlaceholderValues): string {
  return text.replace(placeholder, (found, name: string) => {
    if (found.startsWith('$$')) return found.slice(1);
    const value = valueFor(name, values);
    if (value === null) {
      const message = `"${text}" uses ${found}, but the service has no ${name.toLowerCase()}`;
      throw new DavitError('invalid_request', message);
    }
    return value === undefined ? found : String(value);
  });
}

function valueFor(name: string, values: PlaceholderValues): string | number | null | undefined {
  if (!name.startsWith('parameter.')) return values[name as Exclude<keyof PlaceholderValues, 'parameters'>];
  const { parameters } = values;
  const own = name.slice('parameter.'.length);
  return parameters && (Object.hasOwn(parameters, own) ? parameters[own] : '');
}

function asksFor(wanted: 'PORT' | 'ARTIFACT', text: string): boolean {
  return [...text.matchAll(placeholder)].some(([found, name]) => name === wanted && !found.startsWith('$$'));
}

type TextChange = (text: string, path: readonly (string | number)[]) => string;

function mapTexts(value: unknown, path: readonly (string | number)[], change: TextChange): unknown {
  if (typeof value === 'string') return change(value, path);
  if (Array.isArray(value)) return value.map((item, index) => mapTexts(item, [...path, index], change));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, mapTexts(item, [...path, key], change)]),
  );
}
