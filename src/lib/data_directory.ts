import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

/** The home directory of whoever runs this. */
export function homeOf(environment: Environment): string {
  return environment['HOME'] || homedir();
}

/**
 * Where an agent keeps its state when nobody says: a system directory for root, the user's own else.
 * A relative XDG_STATE_HOME counts as none (XDG Base Directory Specification).
 */
export function defaultDataDirectory(
  environment: Environment,
  isRoot: boolean = process.getuid?.() === 0,
): string {
  if (isRoot) return '/var/lib/davit';
  const state = environment['XDG_STATE_HOME'];
  return join(state && isAbsolute(state) ? state : join(homeOf(environment), '.local', 'state'), 'davit');
}
