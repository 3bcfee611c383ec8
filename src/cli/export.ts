import { writeFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import type { Command } from 'commander';
import { stringify } from 'yaml';
import { declarationJsonSchema } from '../contract/declaration.ts';
import type { Service, ServiceList } from '../contract/services.ts';
import { hiddenValue, spec } from '../contract/spec.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { closestName } from '../lib/validation.ts';
import { serviceArguments, servicePath } from './arguments.ts';
import type { Act, Run } from './command.ts';
import { examples } from './help.ts';

interface ExportFlags {
  readonly output?: string;
  readonly declaration?: string;
}

type Fields = Readonly<Record<string, unknown>>;

export function addExport(program: Command, act: Act): void {
  program
    .command('export')
    .description(
      `Write services as a declaration, for davit apply. Values of variables are hidden: "${hiddenValue}" keeps the value that there is.`,
    )
    .summary('Write services as a declaration.')
    .argument('[service...]', 'the services (default: all)', serviceArguments)
    .option('--declaration <name>', 'only those of this declaration')
    .option('-o, --output <file>', 'where to (default: standard output)')
    .addHelpText('after', examples(['davit export > davit.yaml', 'davit export web worker -o shop.yaml']))
    .action(
      act((run: Run, options: ExportFlags, services: string[]) => exportServices(run, options, services)),
    );
}

export function addSchema(program: Command, act: Act): void {
  program
    .command('schema')
    .description('Print the JSON Schema of declarations, for editors. No agent is asked.')
    .addHelpText('after', examples(['davit schema > davit.schema.json']))
    .action(act(async ({ terminal }: Run) => terminal.json(declarationJsonSchema())));
}

async function exportServices(
  run: Run,
  { output, declaration }: ExportFlags,
  ids: readonly string[] = [],
): Promise<void> {
  const { agent, terminal, json } = run;
  const all =
    ids.length === 0
      ? (await agent().get<ServiceList>('/api/v1/services')).services
      : await Promise.all(ids.map((id) => agent().get<Service>(servicePath(id))));
  const chosen = declaration === undefined ? all : ofDeclaration(declaration, all);
  const declared = declarationOf(chosen);
  if (json) return terminal.json(declared);
  const text = declarationText(declared);
  if (output === undefined) return terminal.write(text);
  try {
    writeFileSync(output, text);
  } catch (cause) {
    throw new DavitError('usage', `${output} cannot be written: ${errorMessage(cause)}`, { cause });
  }
  terminal.note(`${chosen.length} ${chosen.length === 1 ? 'service' : 'services'} written to ${output}`);
}

function ofDeclaration(name: string, services: readonly Service[]): Service[] {
  const chosen = services.filter(({ declared_in }) => declared_in === name);
  if (chosen.length > 0) return chosen;
  const known = services.flatMap(({ declared_in }) => declared_in ?? []);
  const meant = closestName(name, known);
  throw new DavitError(
    'usage',
    `no service is of the declaration "${name}"${meant === null ? '' : `; did you mean "${meant}"?`}`,
  );
}

/** The services as a declaration, with its name where they are all of the same. */
export function declarationOf(services: readonly Service[]): Fields {
  const names = new Set(services.map(({ declared_in }) => declared_in ?? null));
  const [name] = names;
  return {
    ...(names.size === 1 && typeof name === 'string' && { name }),
    services: Object.fromEntries(services.map((service) => [service.id, fieldsOf(service)])),
  };
}

function declarationText(declared: Fields): string {
  const note = ` "${hiddenValue}" keeps the value that there is\n`;
  const text = stringify(declared, { lineWidth: 110 });
  return text.includes(hiddenValue) ? `#${note}${text}` : text;
}

/** What of a spec is not as it would be by itself. */
function fieldsOf({ spec: shown, status }: Service): Fields {
  // As many as somebody asked for are what there is.
  const wanted = { ...shown, instances: status.instances?.wanted ?? shown.instances };
  // Which files it runs is said by who uploads them, and kept where a declaration does not.
  const { env, artifact: _, ...rest } = wanted;
  const hasVariables = Object.keys(env).length > 0;
  const parsed = spec.safeParse(rest);
  // Fields that only a later version knows are written as they stand.
  const fields = parsed.success ? withoutDefaults(rest, [], rest) : rest;
  return hasVariables ? { ...fields, env } : fields;
}

/** Leaves out what the spec has by itself: whatever can go without changing what is read back. */
function withoutDefaults(whole: Fields, path: readonly string[], within: Fields): Fields {
  return Object.keys(within).reduce<Fields>((rest, key) => {
    const place = [...path, key];
    const without = withoutKey(rest, place);
    const parsed = spec.safeParse(without);
    if (parsed.success && isDeepStrictEqual(parsed.data, spec.parse(rest))) return without;
    const value = within[key];
    return isFields(value) ? withoutDefaults(rest, place, value) : rest;
  }, whole);
}

function withoutKey(fields: Fields, [key = '', ...rest]: readonly string[]): Fields {
  if (rest.length === 0) {
    const { [key]: _, ...others } = fields;
    return others;
  }
  return { ...fields, [key]: withoutKey(fields[key] as Fields, rest) };
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
