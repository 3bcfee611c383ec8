import { lstat, readdir, realpath } from 'node:fs/promises';
import { basename, extname, isAbsolute, join, resolve } from 'node:path';
import { declarationName } from '../contract/declaration.ts';
import { serviceIdPattern } from '../contract/scalars.ts';
import { DavitError, errorMessage } from '../lib/errors.ts';
import { Draft, type DraftOptions } from './draft.ts';
import { type Fields, isFields } from './merge.ts';

/** What the configuration says of watched files. */
export interface WatchSettings {
  /** A folder whose YAML files are declarations; null: none. */
  readonly declarations: string | null;
  /** A folder whose subfolders may each declare services; null: none. */
  readonly workspace: string | null;
}

/** A file that may declare something. */
export interface WatchedFile {
  readonly file: string;
  /** Changes when the file does. */
  readonly signature: string;
  readonly kind: 'declaration' | 'folder' | 'package';
}

/** How many files of a folder are looked at; more is taken for a mistake. */
const mostFiles = 1_000;
const yamlExtensions: ReadonlySet<string> = new Set(['.yaml', '.yml']);
/** Of a subfolder, the first of these that is there counts. */
const namesInWorkspace = ['davit.yaml', 'davit.yml', 'package.json'];

/** What was found, and the folders that were looked into, as they really are. */
export interface WatchedFolders {
  readonly files: readonly WatchedFile[];
  readonly folders: readonly string[];
}

/** Every file that may declare something. Throws where a folder cannot be read: then nothing is known of what it holds. */
export async function findWatchedFiles({ declarations, workspace }: WatchSettings): Promise<WatchedFolders> {
  const kinds = [
    [declarations, inDeclarations],
    [workspace, inWorkspace],
  ] as const;
  const found = await Promise.all(
    kinds.map(async ([folder, find]): Promise<WatchedFolders> => {
      if (folder === null) return { files: [], folders: [] };
      const real = await realpath(folder);
      return { files: await find(await readFolder(real)), folders: [real] };
    }),
  );
  return { files: found.flatMap(({ files }) => files), folders: found.flatMap(({ folders }) => folders) };
}

/**
 * What a file declares; null: nothing, as a package.json without "davit". Throws `invalid_request` where it is no YAML, or
 * its name does not do for an id.
 */
export function readWatched({ file, kind }: WatchedFile, source: string): Draft | null {
  const folder = resolve(file, '..');
  if (kind === 'declaration') {
    const name = slug(basename(file, extname(file)));
    return new Draft(source, file, { ...(declarationName.safeParse(name).success && { name }) });
  }
  const id = slug(basename(folder));
  if (!serviceIdPattern.test(id))
    throw new DavitError('invalid_request', `${folder}: its name cannot be made the id of a service`);
  const options: DraftOptions = { name: id, adapt: (fields) => absolutePaths(fields, folder) };
  if (kind === 'folder')
    return new Draft(source, file, {
      ...options,
      fields: { cwd: folder },
      single: { id, path: [], orFile: true },
    });
  const description = parsedJson(source);
  if (isFields(description) && !('davit' in description)) return null;
  const command = startOf(description);
  const fields = { cwd: folder, ...(command !== null && { command }) };
  return new Draft(source, file, { ...options, fields, single: { id, path: ['davit'], orFile: false } });
}

/** A name as an id: what an id may not hold becomes a hyphen. */
export function slug(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replace(/^[._-]+/, '')
    .replace(/-+$/, '');
}

interface Entry {
  readonly path: string;
  readonly name: string;
}

async function readFolder(folder: string): Promise<Entry[]> {
  const names = (await readdir(folder)).filter((name) => !name.startsWith('.')).sort();
  if (names.length > mostFiles)
    throw new DavitError(
      'invalid_request',
      `${folder} holds ${names.length} files; at most ${mostFiles} are watched`,
    );
  return names.map((name) => ({ path: join(folder, name), name }));
}

async function inDeclarations(entries: readonly Entry[]): Promise<WatchedFile[]> {
  const found = await Promise.all(
    entries
      .filter(({ name }) => yamlExtensions.has(extname(name)))
      .map(async ({ path }) => {
        const signature = await signatureOf(path);
        return signature === null ? [] : [{ file: path, signature, kind: 'declaration' as const }];
      }),
  );
  return found.flat();
}

async function inWorkspace(entries: readonly Entry[]): Promise<WatchedFile[]> {
  const found = await Promise.all(entries.map(({ path }) => firstIn(path)));
  return found.flatMap((file) => file ?? []);
}

async function firstIn(folder: string): Promise<WatchedFile | null> {
  for (const name of namesInWorkspace) {
    const file = join(folder, name);
    const signature = await signatureOf(file);
    if (signature !== null) return { file, signature, kind: name === 'package.json' ? 'package' : 'folder' };
  }
  return null;
}

/** null: there is no such file. */
async function signatureOf(file: string): Promise<string | null> {
  try {
    const { ino, size, mode, uid, mtimeNs, ctimeNs } = await lstat(file, { bigint: true });
    return [ino, size, mode, uid, mtimeNs, ctimeNs].join(':');
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new DavitError('invalid_request', errorMessage(error), { cause: error });
  }
}

/** Paths that were meant from the folder of the file. */
function absolutePaths(fields: Fields, folder: string): Fields {
  const whole = (path: unknown) =>
    typeof path === 'string' && path !== '' && !isAbsolute(path) && !path.startsWith(`\${ARTIFACT}`)
      ? resolve(folder, path)
      : path;
  const { cwd, env_file } = fields;
  return {
    ...fields,
    cwd: whole(cwd),
    ...(env_file !== undefined && {
      env_file: Array.isArray(env_file) ? env_file.map(whole) : whole(env_file),
    }),
  };
}

/** How npm would start a package; null: it has no such script. */
function startOf(description: unknown): string[] | null {
  const scripts = isFields(description) ? description['scripts'] : null;
  return isFields(scripts) && typeof scripts['start'] === 'string' ? ['npm', 'start'] : null;
}

/** null: it is no JSON, which whoever reads it next says with the place. */
function parsedJson(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch {
    return null;
  }
}
