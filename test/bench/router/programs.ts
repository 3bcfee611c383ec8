import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const names = ['backend', 'http_load', 'websocket_load'] as const;

/** The paths of the service and of the loads, by name; what each does stands at the head of its source. */
export type Programs = Readonly<Record<(typeof names)[number], string>>;

/** They are written in C, so that what is measured is never them. */
export async function compilePrograms(folder: string): Promise<Programs> {
  const compile = async (name: (typeof names)[number]) => {
    const source = join(import.meta.dirname, 'programs', `${name}.c`);
    const file = join(folder, name);
    await promisify(execFile)('gcc', ['-O2', '-Wall', '-D_GNU_SOURCE', '-o', file, source]);
    return [name, file] as const;
  };
  try {
    return Object.fromEntries(await Promise.all(names.map(compile))) as Programs;
  } catch (cause) {
    const reason = (cause as { stderr?: string }).stderr || String(cause);
    throw new Error(`the loads cannot be compiled: ${reason}`, { cause });
  }
}
