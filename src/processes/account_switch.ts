import { realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { DavitError } from '../lib/errors.ts';
import type { Account } from './account.ts';

/** A program as the system starts it. */
export interface ProgramStart {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Whom Node is to switch to before it. */
  readonly uid?: number;
  readonly gid?: number;
}

const heldPrefix = 'DAVIT_HELD_';
/** Names that a shell does not take from a script. */
const shellsOwn = /^(_|UID|EUID|PPID|LINENO|OPTIND|SHELLOPTS|BASH[A-Z_]*)$/;

/**
 * How a program is started as an account. Node switches the user and the group, but drops all supplementary groups; where
 * an account has some, setpriv(1) gives them. Throws `spawn_failed` where that is missing.
 *
 * As setpriv still runs as root it must not see the service's environment, which says what code is loaded into it
 * (LD_PRELOAD and more): the variables travel under other names, and a shell that runs as the account already
 * gives them back.
 */
export function asAccount({ file, args, env }: ProgramStart, { switch_to, name }: Account): ProgramStart {
  if (switch_to === null) return { file, args, env };
  const { uid, gid, groups } = switch_to;
  if (groups.length === 0) return { file, args, env, uid, gid };
  const switching = [`--reuid=${uid}`, `--regid=${gid}`, `--groups=${groups.join(',')}`];
  const names = Object.keys(env).filter((key) => /^[A-Za-z_]\w*$/.test(key) && !shellsOwn.test(key));
  const held = Object.entries(env).map(([key, value]) => [
    names.includes(key) ? heldPrefix + key : key,
    value,
  ]);
  return {
    file: findSetpriv(name),
    args: [...switching, '--', '/bin/sh', '-c', givingBack(names), 'sh', file, ...args],
    env: Object.fromEntries(held),
  };
}

function givingBack(names: readonly string[]): string {
  if (names.length === 0) return 'exec "$@"';
  const exported = names.map((name) => `${name}="$${heldPrefix}${name}"`).join(' ');
  const held = names.map((name) => heldPrefix + name).join(' ');
  return `export ${exported}; unset ${held}; exec "$@"`;
}

function findSetpriv(name: string | null): string {
  for (const path of ['/usr/bin/setpriv', '/bin/setpriv', '/run/current-system/sw/bin/setpriv']) {
    // The setpriv of BusyBox cannot switch users.
    if (basename(realPath(path)) === 'setpriv') return path;
  }
  throw new DavitError(
    'spawn_failed',
    `user ${name} has supplementary groups, which take setpriv to give: install util-linux`,
  );
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return '';
  }
}
