import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { DavitError, errorMessage } from '../lib/errors.ts';
import type { Terminal } from './terminal.ts';

/**
 * The fields that a file holds as YAML or, which is YAML too, as JSON; `-` is standard input. Throws `usage` that names
 * the file, and what it `must` hold where it holds no fields.
 */
export async function readFields(
  file: string,
  terminal: Pick<Terminal, 'readInput'>,
  must: string,
): Promise<Record<string, unknown>> {
  const name = file === '-' ? 'standard input' : file;
  return parseFields(file === '-' ? await terminal.readInput() : readText(file), name, must);
}

/** As `readFields`, of a text that was read already. */
export function parseFields(text: string, name: string, must: string): Record<string, unknown> {
  let value: unknown;
  try {
    // What follows the first line of a complaint is the text around it, which may hold secrets.
    value = parse(text, { prettyErrors: false });
  } catch (cause) {
    throw new DavitError('usage', `${name} is no YAML: ${errorMessage(cause)}`, { cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new DavitError('usage', `${name} must hold ${must}`);
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new DavitError('usage', `${file} cannot be read: ${errorMessage(cause)}`, { cause });
  }
}
