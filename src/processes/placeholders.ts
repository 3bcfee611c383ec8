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
}

/** One more `$` in front makes it an ordinary text. Whatever else looks alike, such as `${HOME}`, is the shell's business. */
const placeholder = /\$?\$\{(PORT|INSTANCE|SERVICE|RELEASE|FILE)\}/g;

/** Where a spec without a port must not ask for one. */
const filledIn = /^(command\.\d+|(env|readiness|liveness)\..*|configs\.\d+\.validate\.\d+)$/s;

/**
 * Puts the values into every text of something, however deep; `$${PORT}` gives the text `${PORT}`. Throws
 * `invalid_request` for a `${PORT}` where there is no port.
 */
export function fillIn<T>(value: T, values: PlaceholderValues): T {
  return mapTexts(value, [], (text) => fillText(text, values)) as T;
}

/**
 * The same for a command. One that runs in a shell, of an instance without a port, keeps its `${PORT}`: there it is a
 * variable like any other.
 */
export function fillInCommand<T extends string | readonly string[]>(
  command: T,
  values: PlaceholderValues,
): T {
  const isOfShell = typeof command === 'string' && values.PORT === null;
  return fillIn(command, isOfShell ? { ...values, PORT: undefined } : values);
}

/**
 * Throws `invalid_request`, with every place, when a spec asks for a port and has none. A command that runs in a shell may
 * do so, see above, and what is not filled in, such as a regular expression, may hold anything.
 */
export function checkPlaceholders(spec: object, hasPort: boolean): void {
  if (hasPort) return;
  const details: ErrorDetail[] = [];
  mapTexts(spec, [], (text, path) => {
    const place = path.join('.');
    if (filledIn.test(place) && asksForPort(text))
      details.push({ path: place, message: `uses \${PORT}, but the service has no port` });
    return text;
  });
  const [first] = details;
  if (first !== undefined)
    throw new DavitError('invalid_request', `${first.path} ${first.message}: set port to auto or a number`, {
      details,
    });
}

/** The fixed port of an instance: the first has that of the spec, the others those that follow. */
export function numberPort(port: number, instance: number): number {
  return port + instance - 1;
}

function fillText(text: string, values: PlaceholderValues): string {
  return text.replace(placeholder, (found, name: keyof PlaceholderValues) => {
    if (found.startsWith('$$')) return found.slice(1);
    const value = values[name];
    if (value === null)
      throw new DavitError('invalid_request', `"${text}" uses \${PORT}, but the service has no port`);
    return value === undefined ? found : String(value);
  });
}

function asksForPort(text: string): boolean {
  return [...text.matchAll(placeholder)].some(([found, name]) => name === 'PORT' && !found.startsWith('$$'));
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
