import { join } from 'node:path';

/** The small programs that the services of the bench run; what each does stands at its head. */
export type BenchProgram =
  | 'numbered.pl'
  | 'bulk.pl'
  | 'stamped.pl'
  | 'minute.pl'
  | 'tree.pl'
  | 'exits.sh'
  | 'announces.sh';

/** The command that runs one of them, as a list: no shell of the daemon's comes in between. */
export function program(name: BenchProgram, ...args: readonly (string | number)[]): string[] {
  const interpreter = name.endsWith('.pl') ? 'perl' : 'sh';
  return [interpreter, join(import.meta.dirname, 'programs', name), ...args.map(String)];
}
