import { existsSync, readFileSync } from 'node:fs';
import { longestDeclaration } from '../contract/declaration.ts';
import { DavitError, type ErrorDetail, errorMessage } from '../lib/errors.ts';
import type { Run } from './command.ts';
import type { Terminal } from './terminal.ts';
import { safeText } from './text.ts';

/** A file that declares services, as it is sent to the agent, which is the one who reads it. */
export interface DeclarationFile {
  readonly file: string;
  readonly source: string;
}

/** It, with what is asked of it. */
export interface DeclarationRequest extends DeclarationFile {
  readonly prune: boolean;
  readonly plan?: string;
  readonly force?: boolean;
}

const usualNames = ['davit.yaml', 'davit.yml'];

/** Reads the file that is named, or standard input for `-`, or the usual one of this folder. */
export async function readDeclaration(
  named: string | undefined,
  terminal: Terminal,
): Promise<DeclarationFile> {
  const file = named ?? usualNames.find((name) => existsSync(name));
  if (file === undefined)
    throw new DavitError('usage', `there is no ${usualNames.join(' or ')} here; name a file: --file FILE`);
  try {
    const source = file === '-' ? await terminal.readInput() : readFileSync(file, 'utf8');
    if (source.length <= longestDeclaration) return { file: file === '-' ? 'standard input' : file, source };
  } catch (cause) {
    throw new DavitError('usage', `${file} cannot be read: ${errorMessage(cause)}`, { cause });
  }
  throw new DavitError('usage', `${file} is larger than ${longestDeclaration / 1_000_000} MB`);
}

/** Asks the agent; what it finds wrong with the file is printed as compilers do, one place a line. */
export async function askAbout<Answer>(run: Run, path: string, body: DeclarationRequest): Promise<Answer> {
  try {
    return await run.agent().post<Answer>(path, body);
  } catch (error) {
    if (run.json || !(error instanceof DavitError)) throw error;
    const placed = error.details.filter(({ line }) => line !== undefined);
    if (placed.length === 0) throw error;
    for (const detail of placed) run.terminal.note(placeText(body.file, detail));
    const things = placed.length === 1 ? 'one thing is' : `${placed.length} things are`;
    throw new DavitError(error.code, `${things} wrong with ${body.file}; nothing was changed`);
  }
}

function placeText(file: string, { line, column, path, message }: ErrorDetail): string {
  return safeText(`${file}:${line}:${column}: ${path === '' ? '' : `${path}: `}${message}`);
}
