import { z } from 'zod';
import {
  declarationDefaults,
  declarationFile,
  declarationName,
  defaultDeclarationName,
} from '../contract/declaration.ts';
import { dependencies } from '../contract/policies.ts';
import { serviceId } from '../contract/scalars.ts';
import { hiddenValue, type Spec, spec } from '../contract/spec.ts';
import type { ErrorDetail } from '../lib/errors.ts';
import { type Checked, check, closestName, type Problem, pathText } from '../lib/validation.ts';
import { specProblems } from '../services/spec_check.ts';
import { checkReferences, type Links } from '../supervision/references.ts';
import { keepDeployed } from './deployed_values.ts';
import { invalid, readDocument, type SourceDocument } from './document.ts';
import { type Fields, isFields, mergeFields } from './merge.ts';
import { findPortClashes } from './port_clashes.ts';

/** Services as a file wants them: checked, and with every default filled in. */
export interface Declaration {
  readonly name: string;
  readonly services: ReadonlyMap<string, Spec>;
}

/** What there is beside a declaration. */
export interface Surroundings {
  /** The spec of a service that is registered; null: there is none. */
  readonly specOf: (id: string) => Spec | null;
  /** Services that stay beside those of the declaration, as they are. */
  readonly others: ReadonlyMap<string, Links>;
  /** Whether a service may be named to who asks, as what was meant. */
  readonly mayName: (id: string) => boolean;
}

/** What holds where the file says nothing of it. */
export interface DraftOptions {
  readonly name?: string;
  /** Fields under those of each service. */
  readonly fields?: Fields;
  /**
   * What stands at `path` in the file is the service with this id; `orFile`: unless the file has `services`, as usual.
   */
  readonly single?: { readonly id: string; readonly path: readonly string[]; readonly orFile: boolean };
  /** The last change of the fields of a service before they are checked. */
  readonly adapt?: (fields: Fields) => Fields;
}

interface Entry {
  readonly id: string;
  /** Where it stands in the file. */
  readonly path: readonly PropertyKey[];
  readonly fields: unknown;
}

/** How many services a file may hold, and how much of what is wrong is told of each part of it, and in all. */
const mostServices = 1_000;
const shownProblems = 100;

const outline = z.strictObject({
  ...declarationFile.shape,
  name: z.unknown().optional(),
  defaults: z.unknown().optional(),
  services: z
    .record(z.string(), z.unknown())
    .refine(
      (all) => Object.keys(all).length <= mostServices,
      `must not hold more than ${mostServices} services`,
    ),
});

/** A file whose text could be read; what it says is checked by `resolve`, all at once. */
export class Draft {
  readonly file: string;
  readonly name: string;
  readonly #document: SourceDocument;
  readonly #defaults: Fields;
  readonly #entries: readonly Entry[];
  readonly #adapt: (fields: Fields) => Fields;
  /** What is wrong whatever there is beside the file. */
  readonly #problems: Problem[] = [];

  /** Throws `invalid_request` where the text is no YAML. */
  constructor(source: string, file: string, options: DraftOptions = {}) {
    this.file = file;
    this.#document = readDocument(source, file);
    this.#adapt = options.adapt ?? ((fields) => fields);
    const { single } = options;
    const { value } = this.#document;
    const isFile = single === undefined || (single.orFile && isFields(value) && 'services' in value);
    const read = isFile ? this.#readFile() : this.#readSingle(single);
    this.name = read.name ?? options.name ?? defaultDeclarationName;
    this.#defaults = mergeFields(options.fields ?? {}, read.defaults);
    this.#entries = read.entries;
  }

  /** The ids of its services, whatever is wrong with them. */
  get ids(): readonly string[] {
    return this.#entries.map(({ id }) => id);
  }

  /** Throws `invalid_request` with everything that is wrong, each with its place. */
  resolve(around: Surroundings): Declaration {
    const problems = [...this.#problems];
    const services = new Map<string, Spec>();
    const links = new Map<string, Links>();
    for (const entry of this.#entries) {
      const checked = this.#check(entry, around);
      if ('problems' in checked) problems.push(...checked.problems);
      else services.set(entry.id, checked.data);
      links.set(entry.id, 'data' in checked ? checked.data : guessedLinks(checked.fields));
    }
    const pathOf = (id: string) => this.#entries.find((entry) => entry.id === id)?.path ?? [];
    for (const { service, path, message } of checkReferences(links, around.others, around.mayName))
      problems.push({ path: [...pathOf(service), ...path], message, isAboutKey: true });
    for (const { service, message } of findPortClashes(services))
      problems.push({ path: [...pathOf(service), 'port'], message });
    if (problems.length > 0) throw invalid(this.file, this.#detailsOf(problems));
    return { name: this.name, services };
  }

  #readFile(): { name: string | null; defaults: Fields; entries: Entry[] } {
    const { value } = this.#document;
    const nothing = { name: null, defaults: {}, entries: [] };
    if (!isFields(value)) {
      this.#problems.push({
        path: [],
        message: 'must hold services, such as "services: {web: {command: …}}"',
      });
      return nothing;
    }
    const own = Object.fromEntries(Object.entries(value).filter(([key]) => !key.startsWith('x-')));
    const outer = check(outline, own);
    if ('problems' in outer) this.#problems.push(...outer.problems.slice(0, shownProblems));
    return {
      name: this.#readName(own['name']),
      defaults: this.#readDefaults(own['defaults']),
      entries: this.#readEntries(own['services']),
    };
  }

  #readSingle({ id, path }: NonNullable<DraftOptions['single']>) {
    const fields = path.reduce<unknown>(
      (value, key) => (isFields(value) ? value[key] : null),
      this.#document.value,
    );
    return { name: null, defaults: {}, entries: [{ id, path, fields }] };
  }

  #readName(given: unknown): string | null {
    if (given === undefined) return null;
    return this.#note(check(declarationName, given), ['name']) ?? null;
  }

  #readDefaults(given: unknown): Fields {
    if (given === undefined) return {};
    const env = isFields(given) && isFields(given['env']) ? { env: withoutPlaceholders(given['env']) } : {};
    this.#note(check(declarationDefaults, isFields(given) ? { ...given, ...env } : given), ['defaults']);
    return isFields(given) ? given : {};
  }

  #readEntries(services: unknown): Entry[] {
    // More than there may be are told as such, and looked at no further.
    if (!isFields(services) || Object.keys(services).length > mostServices) return [];
    return Object.entries(services).flatMap(([id, fields]) => {
      const path = ['services', id];
      const checked = check(serviceId, id);
      if ('data' in checked) return [{ id, path, fields }];
      const message = `its name ${checked.problems[0]?.message}`;
      this.#problems.push({ path, message, isAboutKey: true });
      return [];
    });
  }

  #note<T>(checked: { data: T } | { problems: readonly Problem[] }, path: readonly string[]): T | undefined {
    if ('data' in checked) return checked.data;
    for (const problem of checked.problems.slice(0, shownProblems))
      this.#problems.push({ ...problem, path: [...path, ...problem.path] });
    return undefined;
  }

  #check({ id, path, fields }: Entry, around: Surroundings) {
    if (!isFields(fields)) {
      const message = 'must be a service, such as "{command: node server.js}"';
      return { problems: [{ path, message }], fields: {} };
    }
    const merged = this.#adapt(mergeFields(this.#defaults, fields));
    const current = around.specOf(id);
    const kept = keepValues(keepDeployed(merged, current), id, current);
    const checked = checkWhole(kept.fields);
    const all = [...kept.problems, ...('problems' in checked ? checked.problems : [])];
    const found = withAdvice(all.slice(0, shownProblems), kept.fields).map((problem) => ({
      ...problem,
      path: [...path, ...problem.path],
    }));
    if (found.length === 0 && 'data' in checked) return checked;
    const ofDefaults = new Set(this.#problems.map((problem) => pathText(problem.path)));
    const isTold = (problem: Problem) =>
      ofDefaults.has(pathText(['defaults', ...problem.path.slice(path.length)]));
    return { problems: found.filter((problem) => !isTold(problem)), fields: kept.fields };
  }

  /** With their places, in the order of the file. */
  #detailsOf(problems: readonly Problem[]): ErrorDetail[] {
    const details = problems.map(({ path, message, isAboutKey }) => ({
      path: pathText(path),
      message,
      ...this.#document.positionOf(this.#placeOf(path), isAboutKey ? 'key' : 'value'),
    }));
    return details.toSorted((a, b) => a.line - b.line || a.column - b.column).slice(0, shownProblems);
  }

  /** What a service does not say itself stands in the defaults, if anywhere. */
  #placeOf(path: readonly PropertyKey[]): readonly PropertyKey[] {
    const inDefaults = ['defaults', ...path.slice(2)];
    const isElsewhere = path[0] === 'services' && path.length > 2 && !this.#document.has(path);
    return isElsewhere && this.#document.has(inDefaults) ? inDefaults : path;
  }
}

/** As the schema says, and as what only a library can tell says. */
function checkWhole(fields: Fields): Checked<Spec> {
  const checked = check(spec, fields);
  if ('problems' in checked) return checked;
  const problems = specProblems(checked.data).map(({ path, message }) => ({
    path: path.split('.'),
    message,
  }));
  return problems.length > 0 ? { problems } : checked;
}

/** Puts the values that there are in the place of `***`. */
function keepValues(
  fields: Fields,
  id: string,
  current: Spec | null,
): { fields: Fields; problems: readonly Problem[] } {
  const { env } = fields;
  if (!isFields(env)) return { fields, problems: [] };
  const isHidden = ([, value]: [string, unknown]) => value === hiddenValue;
  const problems = Object.entries(env)
    .filter(isHidden)
    .filter(([name]) => current === null || !Object.hasOwn(current.env, name))
    .map(([name]) => ({ path: ['env', name], message: nothingToKeep(id, name, current) }));
  const values = Object.entries(env).map((entry) => [
    entry[0],
    isHidden(entry) ? (current?.env[entry[0]] ?? '') : entry[1],
  ]);
  return { fields: { ...fields, env: Object.fromEntries(values) }, problems };
}

function nothingToKeep(id: string, name: string, current: Spec | null): string {
  const what = current === null ? `there is no service "${id}" yet` : `"${id}" has no ${name} yet`;
  return `"${hiddenValue}" keeps the value that there is, and ${what}; give the value`;
}

function withoutPlaceholders(env: Fields): Fields {
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [name, value === hiddenValue ? '' : value]),
  );
}

/**
 * With what was meant. YAML takes what is not in quotes for a number or a boolean where it looks like one: where a text is
 * expected, the advice is to quote it, unless the text would be wrong too.
 */
function withAdvice(problems: readonly Problem[], fields: Fields): Problem[] {
  const bare = problems.filter(({ path, message }) => {
    const value = valueAt(fields, path);
    return (
      (typeof value === 'number' || typeof value === 'boolean') && message.startsWith('must be a string')
    );
  });
  const quoted = bare.reduce<unknown>(
    (all, { path }) => withValue(all, path, String(valueAt(fields, path))),
    fields,
  );
  const checked = bare.length === 0 ? { data: null } : check(spec, quoted);
  const left = 'problems' in checked ? checked.problems : [];
  const stillWrong = new Map(left.map((problem) => [pathText(problem.path), problem]));
  return problems.map((problem) => {
    if (bare.includes(problem))
      return (
        stillWrong.get(pathText(problem.path)) ?? {
          ...problem,
          message: 'must be a string: write it in quotes',
        }
      );
    const value = valueAt(fields, problem.path);
    const meant = typeof value === 'string' ? meantOf(value, problem.message) : null;
    return meant === null ? problem : { ...problem, message: `${problem.message}; did you mean "${meant}"?` };
  });
}

/** Which of the values that are listed was probably meant. */
function meantOf(given: string, message: string): string | null {
  if (!message.startsWith('must be one of')) return null;
  return closestName(
    given,
    Array.from(message.matchAll(/"([^"]+)"/g), ([, name = '']) => name),
  );
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, key) => (at as Record<PropertyKey, unknown> | null | undefined)?.[key],
    value,
  );
}

function withValue(within: unknown, path: readonly PropertyKey[], value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const changed = withValue(valueAt(within, [key]), rest, value);
  return Array.isArray(within)
    ? within.with(Number(key), changed)
    : { ...(within as object), [key]: changed };
}

/** What a service that is not valid says of its dependencies, as far as it can be told; nothing is missed in it. */
function guessedLinks(fields: Fields): Links {
  const found = check(dependencies, fields['depends_on'] ?? {});
  return {
    depends_on: 'data' in found ? found.data : {},
    type: 'task',
    ready_log: '.',
    readiness: { type: 'process' } as Links['readiness'],
    liveness: null,
  };
}
