import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** The command that runs davit, and what it is. */
export interface DavitProgram {
  readonly command: string;
  readonly args: readonly string[];
  readonly version: string;
}

const root = join(import.meta.dirname, '..', '..', '..');

/** The built binary, or the source when it is asked for or nothing has been built. */
export async function findDavit(fromSource: boolean): Promise<DavitProgram> {
  const binary = join(root, 'dist', 'davit');
  const built = !fromSource && existsSync(binary);
  const command = built ? binary : process.execPath;
  // Such as --cpu-prof, to see where the source spends its time.
  const flags = process.env['BENCH_NODE_FLAGS']?.split(' ') ?? [];
  const args = built ? [] : [...flags, join(root, 'src', 'main.ts')];
  const { stdout } = await promisify(execFile)(command, [...args, '--version']);
  const version = stdout.trim().replace(/^davit /, '');
  return { command, args, version: `${version}, ${built ? 'binary' : 'from source'}` };
}
